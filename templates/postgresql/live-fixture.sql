-- The database of the live suite, made by the administrator in a fresh database owned by app_user.
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION hstore;
CREATE EXTENSION dblink;
CREATE EXTENSION tablefunc;
CREATE EXTENSION pg_stat_statements;
GRANT EXECUTE ON FUNCTION pg_get_backend_memory_contexts() TO PUBLIC;

SET ROLE app_user;
CREATE TYPE order_status AS ENUM ('new', 'done');
CREATE TABLE items (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (name <> ''),
  price numeric(10, 2) DEFAULT 1,
  tags text[] DEFAULT '{a,b,c}',
  info jsonb DEFAULT '{"a": {"b": 1}}',
  status order_status DEFAULT 'new',
  made timestamptz DEFAULT '2026-01-01T00:00:00Z'
);
COMMENT ON TABLE items IS 'things that are sold';
CREATE TABLE parts (
  id int PRIMARY KEY,
  item_id int NOT NULL REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED,
  weight float8
);
CREATE INDEX parts_item ON parts (item_id);
CREATE TABLE big (id int PRIMARY KEY, filler text);
CREATE TABLE hidden (secret text);
CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 5;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM items;
INSERT INTO items (name, price) SELECT 'item ' || n, n FROM generate_series(1, 20) AS n;
INSERT INTO parts SELECT n, n, n * 1.5 FROM generate_series(1, 20) AS n;
INSERT INTO big SELECT n, repeat('x', 20) FROM generate_series(1, 100000) AS n;
INSERT INTO hidden VALUES ('top secret');
CREATE SEQUENCE nearly_over MAXVALUE 100;
SELECT setval('nearly_over', 97);

-- What a careless owner may have made, and what nobody may reach through a query.
CREATE FUNCTION definer_read() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT secret FROM hidden';
CREATE FUNCTION definer_write() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM items; RETURN 1; END $$;
CREATE FUNCTION quiet_write() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_advisory_lock(77); RETURN 1; END $$;
CREATE FUNCTION of_row(items) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT secret FROM hidden';
CREATE FUNCTION initcap(varchar) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT secret FROM hidden';
CREATE FUNCTION json_scalar(int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT secret FROM hidden';
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_advisory_lock(78); RETURN 1; END $$;
CREATE OPERATOR <+> (FUNCTION = plus, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_advisory_lock(79); RETURN 1; END $$;
CREATE AGGREGATE evil_sum(int) (SFUNC = step, STYPE = int);
CREATE FUNCTION checked(text) RETURNS bool LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_advisory_lock(80); RETURN true; END $$;
CREATE DOMAIN evil_domain AS text CHECK (checked(VALUE));
CREATE VIEW writing_view AS SELECT definer_write() AS n;
RESET ROLE;
REVOKE ALL ON hidden FROM PUBLIC;

-- The state of the session that reads it; relations of a view are read with its owner's rights.
CREATE VIEW session_state AS SELECT
  (SELECT md5(string_agg(name || '=' || setting, ',' ORDER BY name)) FROM pg_settings) AS settings,
  (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
  (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
  (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS advisory_locks,
  (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors,
  (SELECT count(*)::int FROM pg_class WHERE relpersistence = 't') AS temporary_tables,
  (SELECT sum(total_bytes)::int FROM pg_get_backend_memory_contexts()) AS memory;
CREATE VIEW session_tls AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();
