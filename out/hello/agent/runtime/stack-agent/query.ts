import { ToolFault } from "#runtime/fault";
import { hintFor } from "./suggest.ts";

export const TARGETS = ["component", "sub_components", "links_to", "links_from", "attributes"] as const;
export type Target = (typeof TARGETS)[number];

export const MAX_SOURCE = 200;
export const MAX_FIELD = 80;
export const MAX_SELECT = 32;
export const MAX_COMMAND = 2000;
export const MAX_VERIFY_DELAY = 60;

/** What to run for each row; `{variables}` are still in place. */
export interface Command {
  readonly command: string;
  readonly on_success?: string;
  readonly on_failure?: string;
  /** Seconds between success and `on_success`. */
  readonly verify_delay: number;
  readonly dry_run: boolean;
}

/** A query that has been checked as far as that is possible without the drawing. */
export interface Query {
  readonly source: string;
  readonly target: Target;
  readonly where: Readonly<Record<string, unknown>>;
  readonly select: readonly string[] | null;
  /** `null` returns everything. */
  readonly limit: number | null;
  readonly cursor: string | null;
  /** Whether `links_from` also lists the MCP server itself. */
  readonly include_mcp: boolean;
  readonly command: Command | null;
}

type Table = Readonly<Record<string, unknown>>;

/** The `where` of a query without conditions. */
export const NO_WHERE: Table = Object.freeze({});

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(message: string, hint?: string): never {
  throw new ToolFault("invalid_argument", message, hint === undefined ? {} : { hint });
}

function textIn(value: unknown, key: string, max: number): string {
  if (typeof value === "string" && value !== "" && value.length <= max) return value;
  return refuse(`${key} must be a text of 1 to ${max} characters`);
}

function flagIn(value: unknown, key: string): boolean {
  return typeof value === "boolean" ? value : refuse(`${key} must be true or false`);
}

function integerIn(value: unknown, key: string, min: number, max: number): number {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  return refuse(`${key} must be a whole number from ${min} to ${max}`);
}

function targetIn(value: unknown): Target {
  const target = TARGETS.find((candidate) => candidate === value);
  return target ?? refuse("unknown target", hintFor(typeof value === "string" ? value : "", TARGETS));
}

function whereIn(value: unknown): Table {
  if (!isTable(value)) return refuse("where must be an object", 'for example {"port__gt": 9000}');
  return Object.keys(value).length === 0 ? NO_WHERE : value;
}

function selectIn(value: unknown): readonly string[] {
  const isField = (field: unknown): field is string => typeof field === "string" && field.length <= MAX_FIELD;
  if (Array.isArray(value) && value.length >= 1 && value.length <= MAX_SELECT && value.every(isField))
    return value;
  return refuse(`select must be a list of 1 to ${MAX_SELECT} field names`);
}

/** A query while its members are read; what is not mentioned keeps its default. */
interface Draft {
  source: string | undefined;
  target: Target;
  where: Table;
  select: readonly string[] | null;
  limit: number | null;
  cursor: string | null;
  include_mcp: boolean;
  command: string | undefined;
  on_success: string | undefined;
  on_failure: string | undefined;
  verify_delay: number;
  dry_run: boolean;
}

type Reader = (draft: Draft, value: unknown) => void;

/** One for each member; a query costs what it mentions. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["source", (draft, value) => (draft.source = textIn(value, "source", MAX_SOURCE))],
  ["target", (draft, value) => (draft.target = targetIn(value))],
  ["where", (draft, value) => (draft.where = whereIn(value))],
  ["select", (draft, value) => (draft.select = selectIn(value))],
  ["limit", (draft, value) => (draft.limit = integerIn(value, "limit", 1, Number.MAX_SAFE_INTEGER))],
  ["cursor", (draft, value) => (draft.cursor = textIn(value, "cursor", 500))],
  ["include_mcp", (draft, value) => (draft.include_mcp = flagIn(value, "include_mcp"))],
  ["command", (draft, value) => (draft.command = textIn(value, "command", MAX_COMMAND))],
  ["on_success", (draft, value) => (draft.on_success = textIn(value, "on_success", MAX_COMMAND))],
  ["on_failure", (draft, value) => (draft.on_failure = textIn(value, "on_failure", MAX_COMMAND))],
  [
    "verify_delay",
    (draft, value) => (draft.verify_delay = integerIn(value, "verify_delay", 0, MAX_VERIFY_DELAY)),
  ],
  ["dry_run", (draft, value) => (draft.dry_run = flagIn(value, "dry_run"))],
]);

function commandOf({ command, on_success, on_failure, verify_delay, dry_run }: Draft): Command | null {
  if (command === undefined) {
    if (on_success !== undefined || on_failure !== undefined)
      refuse("on_success and on_failure need a command");
    return null;
  }
  return {
    command,
    ...(on_success === undefined ? {} : { on_success }),
    ...(on_failure === undefined ? {} : { on_failure }),
    verify_delay,
    dry_run,
  };
}

function draftOf(body: Table): Draft {
  const draft: Draft = {
    source: undefined,
    target: "component",
    where: NO_WHERE,
    select: null,
    limit: null,
    cursor: null,
    include_mcp: false,
    command: undefined,
    on_success: undefined,
    on_failure: undefined,
    verify_delay: 0,
    dry_run: false,
  };
  for (const key of Object.keys(body)) {
    const read = READERS.get(key);
    if (read === undefined)
      return refuse("the query holds an unknown key", hintFor(key.slice(0, MAX_FIELD), [...READERS.keys()]));
    const value = body[key];
    if (value !== undefined) read(draft, value);
  }
  return draft;
}

/** Reads the body of a query; anything that is not exactly as documented is an `invalid_argument`. */
export function parseQuery(body: unknown): Query {
  if (!isTable(body))
    return refuse("a query is an object", 'for example {source: "all", target: "component"}');
  const draft = draftOf(body);
  const { source, target, where, select, limit, cursor, include_mcp } = draft;
  if (source === undefined) return refuse("source is missing", 'for example "all"');
  return { source, target, where, select, limit, cursor, include_mcp, command: commandOf(draft) };
}
