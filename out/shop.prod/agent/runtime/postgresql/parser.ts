import { ToolFault } from "#runtime/fault";

export const MAX_SQL = 20_000;
const MAX_NESTING = 1000;

type Parse = (sql: string) => unknown;

let loading: Promise<Parse> | undefined;
let broken = false;

/** PostgreSQL's own grammar as WebAssembly; loaded at the first statement because it takes memory. */
async function parser(): Promise<Parse> {
  loading ??= import("libpg-query").then(async ({ loadModule, parseSync }) => {
    await loadModule();
    return parseSync;
  });
  return await loading;
}

function invalid(message: string, hint?: string): ToolFault {
  return new ToolFault("invalid_argument", message, hint === undefined ? {} : { hint });
}

/**
 * Refuses text that parser and server could read differently, and text that could exhaust the parser's
 * stack: WebAssembly that has run out of stack keeps running with damaged memory.
 */
function checkText(sql: unknown): asserts sql is string {
  if (typeof sql !== "string") throw invalid("sql must be a text");
  if (sql.length > MAX_SQL) throw invalid(`the statement has more than ${MAX_SQL} characters`);
  if (sql.trim() === "") throw invalid("the statement is empty");
  if (sql.includes("\0")) throw invalid("the statement holds a NUL character");
  if (/\p{Surrogate}/u.test(sql)) throw invalid("the statement is not well-formed Unicode");
  const nesting = sql.match(/[-+*/<>=~!@#%^&|`?:([]|\b(?:not|case|collate|union|intersect|except|join)\b/gi);
  if ((nesting?.length ?? 0) > MAX_NESTING) {
    throw invalid(
      `the statement has more than ${MAX_NESTING} operators and brackets`,
      "pass long lists in params",
    );
  }
}

/** Where PostgreSQL says an error is; its positions count characters from 0. */
function syntaxFault(error: Error, sql: string): ToolFault {
  const details: unknown = Reflect.get(error, "sqlDetails");
  const offset: unknown =
    typeof details === "object" && details !== null ? Reflect.get(details, "cursorPosition") : 0;
  return invalid(`${error.message} (${placeOf(sql, Number(offset))})`, "correct the SQL and call again");
}

/** `line 2, column 7` of the character at an offset. */
export function placeOf(sql: string, offset: number): string {
  const lines = [...sql].slice(0, offset).join("").split("\n");
  return `line ${lines.length}, column ${[...(lines.at(-1) ?? "")].length + 1}`;
}

/** The statements of a text as the server would read them. A syntax error is an `invalid_argument`. */
export async function parseSql(sql: unknown): Promise<readonly unknown[]> {
  checkText(sql);
  const parse = await parser();
  if (broken) throw new ToolFault("internal", "the SQL parser has failed and stays closed until a restart");
  try {
    const tree = parse(sql);
    const statements: unknown =
      typeof tree === "object" && tree !== null ? Reflect.get(tree, "stmts") : undefined;
    return Array.isArray(statements) ? statements : [];
  } catch (error) {
    if (error instanceof Error && error.name === "SqlError") throw syntaxFault(error, sql);
    broken = true;
    throw new ToolFault("internal", "the SQL parser failed", { cause: error });
  }
}
