-- The accounts of this link, once the digests of their passwords are filled in as the README beside this file says.
-- Running it again brings them back to exactly these rights.
CREATE SETTINGS PROFILE OR REPLACE mcp_ro SETTINGS readonly = 1, allow_ddl = 0, allow_introspection_functions = 0, max_execution_time = 15, max_result_rows = 1001, result_overflow_mode = 'break', max_rows_to_read = 1000000000, max_memory_usage = 1000000000, max_threads = 4, cancel_http_readonly_queries_on_client_close = 1, output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1, output_format_json_quote_denormals = 1;
CREATE USER OR REPLACE mcp_ro IDENTIFIED WITH sha256_hash BY 'SHA256_OF_MCP_CLICKHOUSE_PASSWORD' SETTINGS PROFILE mcp_ro;
GRANT SELECT ON `events`.* TO mcp_ro;
GRANT SELECT ON system.parts TO mcp_ro;
GRANT SELECT ON system.parts_columns TO mcp_ro;
-- To end its own queries; those of others it does not see.
GRANT SELECT(query, query_id, user) ON system.processes TO mcp_ro;
CREATE ROW POLICY OR REPLACE mcp_ro ON system.processes USING user = 'mcp_ro' TO mcp_ro;
CREATE QUOTA OR REPLACE mcp KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 1200, execution_time = 240 TO mcp_ro;
