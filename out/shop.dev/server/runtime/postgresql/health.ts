/** Checks of one database, each a statement that gives findings; a check without findings says `ok`. */
import { rowsOf } from "#runtime/postgresql/statement";
import type { Connection } from "#runtime/postgresql/statement";

export const CHECKS = [
  "connections",
  "locks",
  "long_queries",
  "replication",
  "vacuum",
  "invalid_indexes",
  "sequences",
  "cache",
] as const;
export type Check = (typeof CHECKS)[number];

export interface Finding {
  readonly check: Check;
  readonly severity: "ok" | "notice" | "warning" | "critical";
  readonly message: string;
}

/** Of one check. */
export const MAX_FINDINGS = 20;

/** Every statement gives `severity` and `message`. */
const STATEMENTS: Readonly<Record<Check, string>> = {
  connections: `
SELECT CASE WHEN used >= 0.95 * most THEN 'critical' WHEN used >= 0.8 * most THEN 'warning' ELSE 'ok' END AS severity,
  used || ' of ' || most || ' connections are in use' AS message
FROM (SELECT pg_catalog.sum(numbackends) AS used, pg_catalog.current_setting('max_connections')::int AS most
      FROM pg_catalog.pg_stat_database) AS s`,
  locks: `
SELECT CASE WHEN waiting > 60 THEN 'critical' ELSE 'warning' END AS severity,
  'process ' || pid || ' waits ' || waiting::int || ' s for ' || mode || COALESCE(' on ' || relation::pg_catalog.regclass::text, '')
  || ', blocked by ' || pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(pid), ', ') AS message
FROM (SELECT pid, mode, relation, COALESCE(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - waitstart), 0) AS waiting
      FROM pg_catalog.pg_locks
      WHERE NOT granted AND (database IS NULL OR database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))) AS l
ORDER BY waiting DESC`,
  long_queries: `
SELECT CASE WHEN age > 3600 THEN 'critical' ELSE 'warning' END AS severity,
  'process ' || pid || ' has a transaction open for ' || age::int || ' s (' || COALESCE(state, 'state unknown') || ')' AS message
FROM (SELECT pid, state, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - xact_start) AS age
      FROM pg_catalog.pg_stat_activity
      WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()) AS a
WHERE age > 60 ORDER BY age DESC`,
  replication: `
SELECT CASE WHEN wal_status = 'lost' THEN 'critical' WHEN NOT active THEN 'warning' ELSE 'ok' END AS severity,
  'replication slot ' || slot_name || ' is ' || CASE WHEN active THEN 'active' ELSE 'inactive' END
  || ', WAL ' || COALESCE(wal_status, 'unknown') AS message
FROM pg_catalog.pg_replication_slots
UNION ALL
SELECT CASE WHEN lag > 300 THEN 'critical' WHEN lag > 30 THEN 'warning' ELSE 'ok' END,
  'this server is a replica, ' || lag::int || ' s behind'
FROM (SELECT COALESCE(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()), 0) AS lag) AS r
WHERE pg_catalog.pg_is_in_recovery()`,
  vacuum: `
SELECT CASE WHEN dead > 0.5 * live THEN 'warning' ELSE 'notice' END AS severity,
  name || ' has ' || dead || ' dead rows beside ' || live || ' live ones' AS message
FROM (SELECT schemaname || '.' || relname AS name, n_dead_tup AS dead, n_live_tup AS live FROM pg_catalog.pg_stat_user_tables) AS t
WHERE dead > 10000 AND dead > 0.2 * live
UNION ALL
SELECT CASE WHEN age > 1500000000 THEN 'critical' ELSE 'warning' END, 'the oldest transaction id is ' || age || ' transactions old'
FROM (SELECT pg_catalog.age(datfrozenxid) AS age FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS f
WHERE age > 500000000`,
  invalid_indexes: `
SELECT 'warning' AS severity, 'the index ' || x.indexrelid::pg_catalog.regclass::text || ' is invalid and is not used' AS message
FROM pg_catalog.pg_index x WHERE NOT x.indisvalid ORDER BY 2`,
  sequences: `
SELECT CASE WHEN used > 95 THEN 'critical' ELSE 'warning' END AS severity, name || ' has used ' || used || ' % of its values' AS message
FROM (SELECT schemaname || '.' || sequencename AS name, pg_catalog.round(100.0 * last_value / max_value) AS used
      FROM pg_catalog.pg_sequences WHERE NOT cycle AND increment_by > 0 AND last_value IS NOT NULL) AS s
WHERE used > 80 ORDER BY used DESC`,
  cache: `
SELECT CASE WHEN ratio < 90 AND total > 10000 THEN 'warning' ELSE 'ok' END AS severity,
  ratio || ' % of ' || total || ' block reads came from the cache' AS message
FROM (SELECT blks_hit + blks_read AS total, pg_catalog.round(100.0 * blks_hit / GREATEST(blks_hit + blks_read, 1), 1) AS ratio
      FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()) AS c`,
};

const HIDDEN = `
SELECT 1 FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND query = '<insufficient privilege>' LIMIT 1`;

function isSeverity(value: unknown): value is Finding["severity"] {
  return value === "ok" || value === "notice" || value === "warning" || value === "critical";
}

async function run(connection: Connection, check: Check): Promise<readonly Finding[]> {
  const rows = await rowsOf(
    connection,
    `SELECT severity, message FROM (${STATEMENTS[check]}) AS f LIMIT ${MAX_FINDINGS}`,
  );
  if (rows.length === 0) return [{ check, severity: "ok", message: "nothing found" }];
  return rows.map(({ severity, message }) => ({
    check,
    severity: isSeverity(severity) ? severity : "notice",
    message: String(message),
  }));
}

/** Findings of the checks in their order, and whether the account sees what other accounts run. */
export async function checkHealth(
  connection: Connection,
  checks: readonly Check[],
): Promise<{ readonly findings: readonly Finding[]; readonly hidden: boolean }> {
  const findings: Finding[] = [];
  for (const check of CHECKS.filter((known) => checks.includes(known)))
    findings.push(...(await run(connection, check)));
  const hidden = checks.includes("long_queries") && (await rowsOf(connection, HIDDEN)).length > 0;
  return { findings, hidden };
}
