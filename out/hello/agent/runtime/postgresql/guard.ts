/**
 * The part of the SQL guard that needs no server: what kind of statement a text is, and the names it uses.
 *
 * It walks PostgreSQL's own syntax tree and knows what is allowed, so that a construct of a later version is
 * refused until somebody has looked at it.
 */
import { ToolFault } from "#runtime/fault";
import { deniedFunction } from "#runtime/postgresql/functions";
import { parseSql } from "#runtime/postgresql/parser";
import { checkRelation, checkSetting } from "#runtime/postgresql/relations";

export interface Name {
  readonly schema: string | null;
  readonly name: string;
}

/** Names that only the server can resolve. */
export interface Names {
  readonly functions: readonly Name[];
  readonly types: readonly Name[];
  readonly operators: readonly string[];
  /** Last parts of `a.b`: PostgreSQL calls the function `b` when `a` has no such column. */
  readonly columns: readonly string[];
}

export interface Statement {
  readonly kind: "select" | "explain" | "show";
  readonly names: Names;
}

type Node = Readonly<Record<string, unknown>>;

const EXPRESSIONS = [
  "A_ArrayExpr",
  "A_Const",
  "A_Expr",
  "A_Indices",
  "A_Indirection",
  "A_Star",
  "BitString",
  "BoolExpr",
  "Boolean",
  "BooleanTest",
  "CaseExpr",
  "CaseWhen",
  "CoalesceExpr",
  "CollateClause",
  "ColumnRef",
  "Float",
  "FuncCall",
  "GroupingFunc",
  "Integer",
  "List",
  "MinMaxExpr",
  "NamedArgExpr",
  "NullTest",
  "ParamRef",
  "RowExpr",
  "SQLValueFunction",
  "String",
  "SubLink",
  "TypeCast",
  "TypeName",
  "XmlExpr",
  "XmlSerialize",
];
const QUERY_PARTS = [
  "ColumnDef",
  "CommonTableExpr",
  "GroupingSet",
  "JoinExpr",
  "RangeFunction",
  "RangeSubselect",
  "RangeTableFunc",
  "RangeTableFuncCol",
  "RangeTableSample",
  "RangeVar",
  "ResTarget",
  "SelectStmt",
  "SortBy",
  "WindowDef",
];
/** SQL/JSON of later versions; to an older server some are calls of a function with this name. */
const JSON_PARTS: Readonly<Record<string, string | null>> = {
  JsonAggConstructor: null,
  JsonArgument: null,
  JsonArrayAgg: null,
  JsonArrayConstructor: null,
  JsonArrayQueryConstructor: null,
  JsonBehavior: null,
  JsonFormat: null,
  JsonFuncExpr: "json_query",
  JsonIsPredicate: null,
  JsonKeyValue: null,
  JsonObjectAgg: null,
  JsonObjectConstructor: null,
  JsonOutput: null,
  JsonParseExpr: "json",
  JsonReturning: null,
  JsonScalarExpr: "json_scalar",
  JsonSerializeExpr: "json_serialize",
  JsonTable: null,
  JsonTableColumn: null,
  JsonTablePathSpec: null,
  JsonValueExpr: null,
};
const ALLOWED = new Set([...EXPRESSIONS, ...QUERY_PARTS, ...Object.keys(JSON_PARTS)]);
const EXPLAIN_OPTIONS = new Set([
  "verbose",
  "costs",
  "summary",
  "format",
  "settings",
  "buffers",
  "generic_plan",
]);
const SAMPLING = new Set(["bernoulli", "system"]);

export function refuse(message: string, hint?: string): ToolFault {
  return new ToolFault("denied", message, hint === undefined ? {} : { hint });
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The texts of a list of `String` nodes; stars and subscripts are left out. */
function textsOf(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const text = isNode(item) && isNode(item["String"]) ? item["String"]["sval"] : undefined;
    return typeof text === "string" ? [text] : [];
  });
}

function nameOf(parts: readonly string[], what: string): Name {
  const name = parts.at(-1) ?? "";
  const schema = parts.length > 1 ? (parts.at(-2) ?? null) : null;
  const system =
    schema === "information_schema" || (schema?.startsWith("pg_") === true && schema !== "pg_catalog");
  if (parts.length > 2 || system)
    throw refuse(`the ${what} ${parts.join(".")} is outside this database's schemas`);
  return { schema, name };
}

interface Found extends Names {
  readonly functions: Name[];
  readonly types: Name[];
  readonly operators: string[];
  readonly columns: string[];
}
const nothing = (): Found => ({ functions: [], types: [], operators: [], columns: [] });

type Collector = (value: unknown, found: Found, node: Node, schemas: readonly string[]) => void;

function operator(value: unknown, found: Found): void {
  const parts = textsOf(value);
  if (parts.length > 1) throw refuse("an operator may not be written with a schema");
  found.operators.push(...parts);
}

/** What is read out of a node, by the property that tells its kind; the walk sees every node. */
const COLLECTORS: Readonly<Record<string, Collector>> = {
  intoClause: () => {
    throw refuse("SELECT INTO creates a table");
  },
  lockingClause: () => {
    throw refuse("FOR UPDATE and FOR SHARE lock rows");
  },
  pct_type: () => {
    throw refuse("%TYPE is not allowed in a query");
  },
  relname: (_, __, node, schemas) => checkRelation(node, schemas),
  funcname: (value, found) => {
    const called = nameOf(textsOf(value), "function");
    const because = deniedFunction(called.name);
    if (because !== undefined) throw refuse(`the function ${called.name} ${because} and may not be called`);
    found.functions.push(called);
  },
  names: (value, found) => found.types.push(nameOf(textsOf(value), "type")),
  name: (value, found) => operator(value, found),
  operName: operator,
  useOp: operator,
  fields: (value, found) => found.columns.push(...textsOf(value).slice(1)),
  indirection: (value, found) => found.columns.push(...textsOf(value)),
  method: (value) => {
    const [method, ...rest] = textsOf(value);
    if (method === undefined || rest.length > 0 || !SAMPLING.has(method))
      throw refuse("only the sampling methods bernoulli and system are allowed");
  },
};

/** `DeleteStmt` as people say it: `delete statement`. */
function spoken(tag: string): string {
  return tag
    .replace(/Stmt$/, "Statement")
    .replaceAll("_", "")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
}

/**
 * Visits every node below `root` without recursion, so that a deep tree cannot exhaust the stack. A node kind
 * that is neither a part of a query nor in `also` is refused.
 */
export function walk(
  root: unknown,
  schemas: readonly string[],
  also: ReadonlySet<string> = new Set(),
): Names {
  const found = nothing();
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (Array.isArray(value)) for (const item of value) waiting.push(item);
    if (!isNode(value)) continue;
    for (const [key, child] of Object.entries(value)) {
      if (/^[A-Z]/.test(key) && !ALLOWED.has(key) && !also.has(key))
        throw refuse(`a ${spoken(key)} is not allowed here`);
      const called = JSON_PARTS[key];
      if (typeof called === "string") found.functions.push({ schema: null, name: called });
      if (Object.hasOwn(COLLECTORS, key)) COLLECTORS[key]?.(child, found, value, schemas);
      waiting.push(child);
    }
  }
  return found;
}

/** The only statement of a text with its kind, for example `["SelectStmt", {...}]`. */
export async function onlyStatement(sql: unknown): Promise<readonly [string, Node]> {
  const statements = await parseSql(sql);
  if (statements.length !== 1) {
    throw new ToolFault("invalid_argument", `one statement is allowed, this text has ${statements.length}`);
  }
  const [statement] = statements;
  const wrapped = isNode(statement) && isNode(statement["stmt"]) ? Object.entries(statement["stmt"]) : [];
  const [tag, body] = wrapped[0] ?? [];
  if (tag === undefined || !isNode(body)) throw refuse("this statement is not known");
  return [tag, body];
}

function explained(body: Node): unknown {
  for (const option of Array.isArray(body["options"]) ? body["options"] : []) {
    const element: unknown = isNode(option) ? option["DefElem"] : undefined;
    const name = isNode(element) ? String(element["defname"]).toLowerCase() : "";
    if (name === "analyze")
      throw refuse("EXPLAIN ANALYZE is not written in SQL", "pass the query itself with explain: analyze");
    if (!EXPLAIN_OPTIONS.has(name)) throw refuse(`the EXPLAIN option ${name} is not allowed`);
  }
  const query = body["query"];
  if (!isNode(query) || !isNode(query["SelectStmt"])) throw refuse("EXPLAIN is allowed for a SELECT only");
  return query;
}

/**
 * Decides whether a text may be sent as a query: exactly one SELECT (VALUES, TABLE), EXPLAIN of one, or SHOW,
 * with nothing in it that writes, locks, waits or reaches outside `schemas` (empty: any but the system's).
 * Throws `invalid_argument` for text that is no SQL, `denied` with the reason for all else.
 */
export async function guardQuery(sql: unknown, schemas: readonly string[] = []): Promise<Statement> {
  const [tag, body] = await onlyStatement(sql);
  if (tag === "SelectStmt") return { kind: "select", names: walk({ [tag]: body }, schemas) };
  if (tag === "ExplainStmt") return { kind: "explain", names: walk(explained(body), schemas) };
  if (tag !== "VariableShowStmt") {
    throw refuse(`a ${spoken(tag)} is not a query`, "use one SELECT, VALUES, TABLE, EXPLAIN or SHOW");
  }
  checkSetting(String(body["name"]));
  return { kind: "show", names: nothing() };
}
