-- One account of this link on one database. Run it as an administrator, connected to that database, with the
-- account's password in the environment variable PASSWORD: PASSWORD=... psql -d <database> -f <this file>
-- Running it again brings the account back to exactly these rights.
\set ON_ERROR_STOP on
\getenv password PASSWORD
BEGIN;
SELECT format('CREATE ROLE %I', 'mcp_rw_app_db')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'mcp_rw_app_db') \gexec
ALTER ROLE "mcp_rw_app_db" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 8 PASSWORD :'password';

-- Rights that PostgreSQL gives everybody and that no account of this link may have. Owners keep theirs.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE TEMPORARY ON DATABASE "app_db" FROM PUBLIC;

REVOKE ALL ON DATABASE "app_db" FROM "mcp_rw_app_db";
GRANT CONNECT ON DATABASE "app_db" TO "mcp_rw_app_db";

REVOKE ALL ON SCHEMA "public" FROM "mcp_rw_app_db";
REVOKE ALL ON ALL TABLES IN SCHEMA "public" FROM "mcp_rw_app_db";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA "public" FROM "mcp_rw_app_db";
GRANT USAGE ON SCHEMA "public" TO "mcp_rw_app_db";
GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "mcp_rw_app_db";
GRANT SELECT ON ALL SEQUENCES IN SCHEMA "public" TO "mcp_rw_app_db";
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "public" TO "mcp_rw_app_db";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA "public" TO "mcp_rw_app_db";

ALTER ROLE "mcp_rw_app_db" RESET default_transaction_read_only;
ALTER ROLE "mcp_rw_app_db" SET statement_timeout = '15s';
ALTER ROLE "mcp_rw_app_db" SET lock_timeout = '2s';
ALTER ROLE "mcp_rw_app_db" SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE "mcp_rw_app_db" SET temp_file_limit = '64MB';
COMMIT;
