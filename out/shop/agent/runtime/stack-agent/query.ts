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

type Body = Readonly<Record<string, unknown>>;

const QUERY_KEYS = ["source", "target", "where", "select", "limit", "cursor", "include_mcp"];
const COMMAND_KEYS = ["command", "on_success", "on_failure", "verify_delay", "dry_run"];
const KEYS: readonly string[] = [...QUERY_KEYS, ...COMMAND_KEYS];

function isTable(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(message: string, hint?: string): never {
  throw new ToolFault("invalid_argument", message, hint === undefined ? {} : { hint });
}

function textIn(body: Body, key: string, max: number): string | undefined {
  const value = body[key];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "" || value.length > max) {
    refuse(`${key} must be a text of 1 to ${max} characters`);
  }
  return value;
}

function flagIn(body: Body, key: string): boolean {
  const value = body[key] ?? false;
  return typeof value === "boolean" ? value : refuse(`${key} must be true or false`);
}

function integerIn(body: Body, key: string, min: number, max: number): number | undefined {
  const value = body[key];
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || Number(value) < min || Number(value) > max) {
    refuse(`${key} must be a whole number from ${min} to ${max}`);
  }
  return Number(value);
}

function targetIn(body: Body): Target {
  const given = body["target"] ?? "component";
  const target = TARGETS.find((candidate) => candidate === given);
  return target ?? refuse("unknown target", hintFor(typeof given === "string" ? given : "", TARGETS));
}

function selectIn(body: Body): readonly string[] | null {
  const given = body["select"];
  if (given === undefined) return null;
  const isField = (field: unknown): field is string => typeof field === "string" && field.length <= MAX_FIELD;
  if (!Array.isArray(given) || given.length < 1 || given.length > MAX_SELECT || !given.every(isField)) {
    refuse(`select must be a list of 1 to ${MAX_SELECT} field names`);
  }
  return given;
}

function commandIn(body: Body): Command | null {
  const command = textIn(body, "command", MAX_COMMAND);
  const on_success = textIn(body, "on_success", MAX_COMMAND);
  const on_failure = textIn(body, "on_failure", MAX_COMMAND);
  const verify_delay = integerIn(body, "verify_delay", 0, MAX_VERIFY_DELAY) ?? 0;
  const dry_run = flagIn(body, "dry_run");
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

/** Reads the body of a query; anything that is not exactly as documented is an `invalid_argument`. */
export function parseQuery(body: unknown): Query {
  if (!isTable(body)) refuse("a query is an object", 'for example {source: "all", target: "component"}');
  const unknown = Object.keys(body).find((key) => !KEYS.includes(key));
  if (unknown !== undefined)
    refuse("the query holds an unknown key", hintFor(unknown.slice(0, MAX_FIELD), KEYS));
  const where = body["where"] ?? {};
  if (!isTable(where)) refuse("where must be an object", 'for example {"port__gt": 9000}');
  return {
    source: textIn(body, "source", MAX_SOURCE) ?? refuse("source is missing", 'for example "all"'),
    target: targetIn(body),
    where,
    select: selectIn(body),
    limit: integerIn(body, "limit", 1, Number.MAX_SAFE_INTEGER) ?? null,
    cursor: textIn(body, "cursor", 500) ?? null,
    include_mcp: flagIn(body, "include_mcp"),
    command: commandIn(body),
  };
}
