import type { Reason } from "#runtime/stack-agent/command/refused";

/** A command that somebody could try, and why it is refused. */
export interface AbuseCase {
  readonly command: string;
  readonly reason: Reason;
  readonly row: Row;
}
export type Row =
  | "database"
  | "unlinked database"
  | "cache"
  | "metrics"
  | "api"
  | "kafka"
  | "warehouse"
  | "grafana"
  | "route"
  | "user of the database";

export const PSQL = "PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database}";
export const REDIS = "REDISCLI_AUTH={password} redis-cli -h {host} -p {port} --user {username}";
export const HERE = "http://{host}:{port}";

export const each = (reason: Reason, row: Row, commands: readonly string[]): readonly AbuseCase[] =>
  commands.map((command) => ({ command, reason, row }));
