/**
 * Refuses with a clear word what the account would refuse anyway, and what no account can be kept from: the names of
 * hosts and accounts, and a FORMAT that the answer is not read in.
 */
import { ToolFault } from "#runtime/fault";
import { piecesOf } from "#runtime/clickhouse/words";
import type { Piece } from "#runtime/clickhouse/words";

export const MAX_SQL = 20_000;

const READS = new Set(["desc", "describe", "exists", "explain", "select", "show", "with"]);
const SHOWN = new Set([
  "columns",
  "databases",
  "fields",
  "full",
  "index",
  "indexes",
  "indices",
  "keys",
  "tables",
]);
const EXPLAINED = new Set(["select", "with"]);
const SYSTEM_TABLES = ["columns", "data_type_families", "functions", "numbers", "one", "time_zones", "zeros"];

/** Functions that tell about hosts, accounts and the server, or that only wait. */
const TELLING = new Set([
  "authenticateduser",
  "buildid",
  "catboostevaluate",
  "connection_id",
  "connectionid",
  "currentprofiles",
  "currentroles",
  "currentuser",
  "current_user",
  "defaultprofiles",
  "defaultroles",
  "displayname",
  "enabledprofiles",
  "enabledroles",
  "file",
  "fqdn",
  "fullhostname",
  "getmacro",
  "getoskernelversion",
  "getserverport",
  "getserversetting",
  "getsetting",
  "getsettingordefault",
  "hostname",
  "initialqueryid",
  "initial_query_id",
  "queryid",
  "query_id",
  "serveruuid",
  "showcertificate",
  "sleep",
  "sleepeachrow",
  "tcpport",
  "user",
  "zookeepersessionuptime",
]);
/** Table functions that reach files and other systems; whoever may make one is no account of this link. */
const REACHING =
  /^(?:arrowflight|azureblobstorage|cluster|clusterallreplicas|deltalake|executable|file|filecluster|gcs|hdfs|hive|hudi|iceberg|input|jdbc|kafka|mongodb|mysql|nats|odbc|paimon|postgresql|redis|remote|remotesecure|s3|sqlite|url|ytsaurus)(?:[a-z0-9]*)$/;

function refuse(message: string, hint?: string): ToolFault {
  return new ToolFault("denied", message, hint === undefined ? {} : { hint });
}

function isSign(piece: Piece | undefined, text: string): boolean {
  return piece?.kind === "sign" && piece.text === text;
}

function isWord(piece: Piece | undefined, text: string): boolean {
  return piece?.kind === "word" && piece.text === text;
}

/** Refuses what is no query at all, by its first words. */
function checkKind(pieces: readonly Piece[]): void {
  const [first, second] = pieces.filter((piece) => !isSign(piece, "("));
  if (first === undefined) throw new ToolFault("invalid_argument", "there is no statement");
  const verb = first.kind === "word" ? first.text : "";
  if (!READS.has(verb)) {
    throw refuse(
      `${verb === "" ? "this" : verb.toUpperCase()} is not a query`,
      "use SELECT, DESCRIBE, SHOW or EXPLAIN",
    );
  }
  if (verb === "show" && !SHOWN.has(second?.text ?? ""))
    throw refuse("SHOW is for TABLES, COLUMNS, INDEXES and DATABASES here");
  if (verb === "explain" && !pieces.some((piece) => piece.kind === "word" && EXPLAINED.has(piece.text)))
    throw refuse("EXPLAIN is for a SELECT here");
}

/** Refuses the clauses after a query that change how it runs or where its answer goes. */
function checkClause(pieces: readonly Piece[], at: number): void {
  const [piece, next, after] = pieces.slice(at, at + 3);
  if (isSign(pieces[at - 1], ".")) return;
  if (isWord(piece, "into") && isWord(next, "outfile"))
    throw refuse("INTO OUTFILE is not allowed", "the rows are the answer");
  const isLast = after === undefined || isSign(after, ";") || isWord(after, "settings") || isSign(after, ")");
  if (isWord(piece, "format") && next !== undefined && next.kind !== "sign" && isLast)
    throw refuse("FORMAT is not allowed", "leave it out: columns and rows come as JSON");
  if (isWord(piece, "settings") && next !== undefined && next.kind !== "sign" && isSign(after, "="))
    throw refuse("SETTINGS is not allowed", "leave it out: the link's account has a profile of its own");
}

function checkName(pieces: readonly Piece[], at: number): void {
  const [piece, next, after] = pieces.slice(at, at + 3);
  if (piece === undefined || piece.kind === "sign") return;
  const name = piece.text.toLowerCase();
  const afterDot = isSign(pieces[at - 1], ".");
  if (!afterDot && name === "system" && isSign(next, ".") && !SYSTEM_TABLES.includes(after?.text ?? "")) {
    throw refuse(
      `system.${after?.text ?? ""} is not readable through this link`,
      `tools list and describe tables; of system only ${SYSTEM_TABLES.join(", ")} are`,
    );
  }
  if (!isSign(next, "(")) {
    if (name === "current_user" && !afterDot) throw refuse("current_user tells about the server's accounts");
    return;
  }
  if (TELLING.has(name)) throw refuse(`the function ${piece.text} tells about the server or waits`);
  if (REACHING.test(name)) throw refuse(`the function ${piece.text} reaches outside the database`);
}

/** Throws `denied` unless the text is one query that stays in the database. */
export function guardQuery(sql: string): void {
  if (sql.includes("\0")) throw new ToolFault("invalid_argument", "the statement holds a NUL character");
  const written = piecesOf(sql);
  const end = written.findLastIndex((piece) => !isSign(piece, ";")) + 1;
  const pieces = written.slice(0, end);
  if (pieces.some((piece) => isSign(piece, ";"))) throw refuse("one statement is allowed");
  checkKind(pieces);
  for (const at of pieces.keys()) {
    checkClause(pieces, at);
    checkName(pieces, at);
  }
}

const PLACEHOLDER = /\{\s*([A-Za-z_]\w*)\s*:\s*([^{}]+?)\s*\}/g;

/** Refuses values without a place, places without a value, and a type that is not the one written in the statement. */
export function checkPlaceholders(sql: string, types: Readonly<Record<string, string>>): void {
  const places = new Map([...sql.matchAll(PLACEHOLDER)].map(([, name = "", type = ""]) => [name, type]));
  const plain = (type: string): string => type.replace(/\s+/g, "").toLowerCase();
  for (const [name, type] of Object.entries(types)) {
    const written = places.get(name);
    if (written === undefined)
      throw new ToolFault("invalid_argument", `params.${name} has no place: write {${name}:${type}} in sql`);
    if (plain(written) !== plain(type))
      throw new ToolFault("invalid_argument", `params.${name} is ${type}, and sql says {${name}:${written}}`);
  }
}
