/**
 * Which statements are sent at all. The account is the boundary, and it can neither write nor reach another
 * database; the guard keeps out what an account without rights may still do: locks, sleeping, variables, and what
 * would end a read-only transaction by itself.
 */
import { ToolFault } from "#runtime/fault";
import { refuse, tokensOf } from "#runtime/mysql/lexer";
import type { Token } from "#runtime/mysql/lexer";

const READING = new Set(["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"]);
const SHOWN =
  /^(FULL )?(TABLES|COLUMNS|FIELDS)\b|^(INDEX|INDEXES|KEYS)\b|^CREATE (TABLE|VIEW)\b|^TABLE STATUS\b/;

/** Reserved words, so that none of them can be a name of something without quotes. */
const DENIED = new Set([
  "INTO",
  "OUTFILE",
  "DUMPFILE",
  "PROCEDURE",
  "LOCK",
  "UPDATE",
  "DELETE",
  "CALL",
  "LOAD",
  "GRANT",
  "REVOKE",
  "CREATE",
  "DROP",
  "ALTER",
  "KILL",
  "PURGE",
]);
/** Also functions, as in REPLACE(name, 'a', 'b'): denied where no bracket follows. */
const DENIED_UNLESS_CALLED = new Set(["INSERT", "REPLACE"]);
/** After FOR. */
const LOCKING = new Set(["UPDATE", "SHARE", "CONNECTION"]);

const FUNCTIONS = new Set([
  "LOAD_FILE",
  "SLEEP",
  "BENCHMARK",
  "GET_LOCK",
  "RELEASE_LOCK",
  "RELEASE_ALL_LOCKS",
  "IS_FREE_LOCK",
  "IS_USED_LOCK",
  "MASTER_POS_WAIT",
  "SOURCE_POS_WAIT",
  "MASTER_GTID_WAIT",
  "WAIT_FOR_EXECUTED_GTID_SET",
  "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS",
  "NEXTVAL",
  "SETVAL",
  "LASTVAL",
  "LAST_INSERT_ID",
  "SYS_EXEC",
  "SYS_EVAL",
  "USER",
  "CURRENT_USER",
  "SESSION_USER",
  "SYSTEM_USER",
  "CURRENT_ROLE",
  "ENCRYPT",
]);
/** Read without a bracket too. */
const VALUES = new Set(["CURRENT_USER", "CURRENT_ROLE"]);

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === "sign" && token.text === text;
}

/** Words that follow a dot are names, whatever they are. */
function checkWord(tokens: readonly Token[], at: number, allowed: ReadonlySet<string>): void {
  const [before, token, next] = [tokens[at - 1], tokens[at], tokens[at + 1]];
  if (token === undefined || isSign(before, ".")) return;
  const { text } = token;
  const isCalled = isSign(next, "(");
  if ((isCalled && FUNCTIONS.has(text)) || VALUES.has(text))
    throw refuse(`the function ${text.toLowerCase()} is not allowed`);
  if (allowed.has(text)) return;
  if (DENIED.has(text) || (DENIED_UNLESS_CALLED.has(text) && !isCalled))
    throw refuse(`${text} is not allowed here`);
  if (text === "FOR" && next?.kind === "word" && LOCKING.has(next.text))
    throw refuse("locking rows is not allowed");
  if (text === "VALUE" && next?.text === "FOR") throw refuse("a sequence may not be moved on");
}

function checkAll(tokens: readonly Token[], allowed: ReadonlySet<string>): void {
  tokens.forEach((token, at) => {
    if (token.kind === "word") checkWord(tokens, at, allowed);
    if (token.kind === "name" && isSign(tokens[at + 1], "(") && FUNCTIONS.has(token.text.toUpperCase()))
      throw refuse(`the function ${token.text.toLowerCase()} is not allowed`);
    if (isSign(token, "@")) throw refuse("variables are not allowed", "pass values in params, as ?");
    if (isSign(token, ":") && isSign(tokens[at + 1], "=")) throw refuse("assignments are not allowed");
  });
}

function rootOf(tokens: readonly Token[]): string {
  const root = tokens.find(({ kind, text }) => !(kind === "sign" && text === "("));
  return root?.kind === "word" ? root.text : "";
}

/** Throws unless the text is one statement that only reads. */
export function guardQuery(sql: unknown): { readonly root: string } {
  const tokens = tokensOf(sql);
  const root = rootOf(tokens);
  if (!READING.has(root)) throw refuse("only one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN is allowed");
  if (root === "SHOW") {
    const words = tokens.slice(1).map(({ text }) => text);
    if (!SHOWN.test(words.join(" "))) throw refuse("only tables, columns and indexes may be shown");
    checkAll(tokens.slice(words[0] === "CREATE" ? 2 : 1), new Set());
    return { root };
  }
  checkAll(tokens, new Set());
  return { root };
}

const CHANGES: Readonly<Record<string, ReadonlySet<string>>> = {
  INSERT: new Set(["INSERT", "INTO", "UPDATE"]),
  UPDATE: new Set(["UPDATE", "SET"]),
  DELETE: new Set(["DELETE"]),
};
const NO_COLUMNS =
  /^(AND|OR|XOR|NOT|IS|IN|LIKE|RLIKE|REGEXP|BETWEEN|EXISTS|TRUE|FALSE|NULL|DIV|MOD|CASE|WHEN|THEN|ELSE|END|ORDER|BY|LIMIT|ASC|DESC|INTERVAL|DAY|HOUR|MINUTE|SECOND|MONTH|YEAR|BINARY|ESCAPE|SELECT|FROM|DUAL)$/;

/** Whether the WHERE of the statement itself names a column: one that does not is true for every row or for none. */
function filters(tokens: readonly Token[]): boolean {
  let depth = 0;
  let where = -1;
  tokens.forEach((token, at) => {
    if (isSign(token, "(")) depth += 1;
    if (isSign(token, ")")) depth -= 1;
    if (depth === 0 && where < 0 && token.kind === "word" && token.text === "WHERE") where = at;
  });
  if (where < 0) return false;
  const isColumn = ({ kind, text }: Token, at: number): boolean =>
    kind === "name" || (kind === "word" && !NO_COLUMNS.test(text) && !isSign(tokens[where + 2 + at], "("));
  return tokens.slice(where + 1).some(isColumn);
}

/** Throws unless the text is one INSERT, UPDATE or DELETE with a WHERE on a column, unless `all` is confirmed. */
export function guardChange(sql: unknown, all: boolean): void {
  const tokens = tokensOf(sql);
  const verb = tokens[0]?.kind === "word" ? tokens[0].text : "";
  const allowed = CHANGES[verb];
  if (allowed === undefined) throw refuse("only one INSERT, UPDATE or DELETE is allowed");
  const later = tokens.slice(1);
  if (later.some(({ kind, text }) => kind === "word" && text === "RETURNING"))
    throw refuse("RETURNING is not allowed", "the answer is a count; read the rows afterwards");
  if (later.some(({ kind, text }, at) => kind === "word" && text === verb && !isSign(later[at + 1], "(")))
    throw refuse("a change inside of a change is not allowed");
  if (verb === "INSERT" && later.some(({ text }, at) => text === "UPDATE" && later[at - 1]?.text !== "KEY"))
    throw refuse("UPDATE is not allowed here");
  checkAll(tokens, allowed);
  if (verb !== "INSERT" && !all && !filters(tokens)) {
    const article = verb === "UPDATE" ? "an" : "a";
    throw new ToolFault(
      "invalid_argument",
      `${article} ${verb} without a WHERE on a column changes every row`,
      { hint: "add a WHERE, or pass confirm_all: true" },
    );
  }
}

/** A change of more rows than this must have been announced with expected_rows. */
export const MAX_UNANNOUNCED_ROWS = 1000;

/** What is wrong with the number of rows that a change touches, if anything. */
export function unexpected(count: number, expected: number | undefined): string | undefined {
  if (expected !== undefined)
    return count === expected ? undefined : `the statement changes ${count} rows, not ${expected}`;
  return count > MAX_UNANNOUNCED_ROWS
    ? `the statement changes ${count} rows, and over ${MAX_UNANNOUNCED_ROWS} need expected_rows`
    : undefined;
}
