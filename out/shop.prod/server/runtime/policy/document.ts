import { hash } from "node:crypto";
import { parseStrictJson } from "#runtime/strict-json";

export type Trust = "low" | "medium" | "high";
export type SideEffect = "read" | "write" | "destructive";

/** Whom a grant or a session is for; every part that is there must fit. */
export interface PolicySubject {
  readonly human_id?: string;
  readonly agent_id?: string;
  readonly team_id?: string;
}
export interface PolicyTool {
  readonly name: string;
  readonly required_trust?: Trust;
  readonly side_effect?: SideEffect;
  readonly risk_level?: Trust;
}
export interface PolicyGrant extends PolicySubject {
  readonly name: string;
  readonly namespace?: string;
  readonly max_trust?: Trust;
  readonly allowed_side_effects?: readonly SideEffect[];
  readonly policy_version?: string;
  readonly disabled?: boolean;
  readonly tool_rules?: readonly {
    readonly name: string;
    readonly decision?: "allow" | "deny";
    readonly required_trust?: Trust;
  }[];
}
export interface PolicySession extends PolicySubject {
  readonly name: string;
  readonly namespace?: string;
  readonly consented_trust?: Trust;
  readonly revoked?: boolean;
  readonly expires_at?: string;
  readonly policy_version?: string;
}

/** The policy document of mcp-runtime, version 1, as far as it decides anything. */
export interface PolicyDocument {
  readonly schema_version: string;
  readonly revision: string;
  readonly policy?: {
    readonly mode?: "allow-list" | "observe";
    readonly default_decision?: "allow" | "deny";
    readonly policy_version?: string;
  };
  readonly session?: { readonly required?: boolean };
  readonly tools?: readonly PolicyTool[];
  readonly grants?: readonly PolicyGrant[];
  readonly sessions?: readonly PolicySession[];
}

/** The fields of one kind of object, in the order in which the revision is worked out. */
type Shape = readonly Field[];
interface Field {
  readonly name: string;
  readonly kind: "text" | "flag" | "texts" | "labels" | "object" | "list";
  /** Written even when it is empty. */
  readonly always: boolean;
  readonly words?: readonly string[];
  readonly shape?: Shape;
}

/** `name!` is always written. */
function field(written: string, kind: Field["kind"], more: Pick<Field, "words" | "shape"> = {}): Field {
  return { name: written.replace("!", ""), kind, always: written.endsWith("!"), ...more };
}
const texts = (...names: readonly string[]): Shape => names.map((name) => field(name, "text"));
const word = (name: string, words: readonly string[]): Field => field(name, "text", { words });

const TRUST: readonly Trust[] = ["low", "medium", "high"];
const EFFECTS: readonly SideEffect[] = ["read", "write", "destructive"];
const SUBJECT = texts("human_id", "agent_id", "team_id");
const TOOL: Shape = [
  ...texts("name!", "description"),
  word("required_trust", TRUST),
  word("side_effect", EFFECTS),
  word("risk_level", TRUST),
  field("labels", "labels"),
];
const RULE: Shape = [...texts("name!"), word("decision", ["allow", "deny"]), word("required_trust", TRUST)];
const GRANT: Shape = [
  ...texts("name!", "namespace"),
  ...SUBJECT,
  word("max_trust", TRUST),
  field("allowed_side_effects", "texts", { words: EFFECTS }),
  ...texts("policy_version"),
  field("disabled", "flag"),
  field("tool_rules", "list", { shape: RULE }),
];
const SESSION: Shape = [
  ...texts("name!", "namespace"),
  ...SUBJECT,
  word("consented_trust", TRUST),
  field("revoked", "flag"),
  ...texts("expires_at", "policy_version", "upstream_token_ref"),
];
const HEADERS = ["human_id", "agent_id", "team_id", "session_id"].map((name) => `${name}_header`);
const AUTH = texts("mode", ...HEADERS, "token_header", "issuer_url", "audience", "trust_domain");
const CONFIG: Shape = [
  word("mode", ["allow-list", "observe"]),
  word("default_decision", ["allow", "deny"]),
  ...texts("enforce_on", "policy_version"),
];
const SESSIONS: Shape = [
  field("required", "flag"),
  ...texts("store", "header_name", "max_lifetime", "idle_timeout", "upstream_token_header"),
];
const DOCUMENT: Shape = [
  ...texts("schema_version!", "revision!", "generated_at"),
  field("server!", "object", { shape: texts("name!", "namespace!", "team_id", "cluster") }),
  field("auth", "object", { shape: AUTH }),
  field("policy", "object", { shape: CONFIG }),
  field("session", "object", { shape: SESSIONS }),
  field("tools", "list", { shape: TOOL }),
  field("grants", "list", { shape: GRANT }),
  field("sessions", "list", { shape: SESSION }),
];

type Members = Readonly<Record<string, unknown>>;

/** The string as Go writes it, which escapes more than JSON has to. */
function goString(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function demand(holds: boolean, where: string, problem: string): asserts holds {
  if (!holds) throw new Error(`is not a policy: ${where} ${problem}`);
}

function textOf(value: unknown, { words }: Field, where: string): string {
  demand(typeof value === "string", where, "must be a text");
  demand(
    words === undefined || value === "" || words.includes(value),
    where,
    `must be one of ${words?.join(", ")}`,
  );
  return goString(value);
}

function byBytes([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function labelsOf(value: unknown, where: string): string {
  demand(isMembers(value), where, "must map names to texts");
  const members = Object.entries(value).sort(byBytes);
  return `{${members.map(([key, text]) => `${goString(key)}:${textOf(text, field(key, "text"), where)}`).join(",")}}`;
}

function valueOf(value: unknown, of: Field, where: string): string {
  if (of.kind === "text") return textOf(value, of, where);
  if (of.kind === "labels") return labelsOf(value, where);
  if (of.kind === "object") return objectOf(value, of.shape ?? [], where);
  if (of.kind === "flag") {
    demand(typeof value === "boolean", where, "must be true or false");
    return String(value);
  }
  demand(Array.isArray(value), where, "must be a list");
  const items = value.map((item: unknown, at) =>
    of.kind === "texts"
      ? textOf(item, of, `${where}[${at}]`)
      : objectOf(item, of.shape ?? [], `${where}[${at}]`),
  );
  return `[${items.join(",")}]`;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  return Array.isArray(value) && value.length === 0;
}

/** Go's JSON of an object of this shape; what the shape does not know would stand outside of the revision. */
function objectOf(value: unknown, shape: Shape, where: string): string {
  demand(isMembers(value), where, "must be an object");
  const stranger = Object.keys(value).find((key) => !shape.some(({ name }) => name === key));
  demand(stranger === undefined, where, `has an unknown member ${stranger ?? ""}`);
  const members = shape.flatMap((of) => {
    const member = value[of.name];
    const isLeftOut = of.kind === "labels" ? isMembers(member) && Object.keys(member).length === 0 : false;
    if (!of.always && (isEmpty(member) || isLeftOut)) return [];
    const filled = member ?? (of.kind === "object" ? {} : "");
    return [`${goString(of.name)}:${valueOf(filled, of, `${where}.${of.name}`)}`];
  });
  return `{${members.join(",")}}`;
}

/** The digest that mcp-runtime gives to a document: of all that it says, but when it was made. */
export function revisionOf(document: Members): string {
  const unstamped = { ...document, revision: "", generated_at: "" };
  return `sha256:${hash("sha256", objectOf(unstamped, DOCUMENT, "document"), "hex")}`;
}

/** Reads `policy.json`; throws an Error that goes on after the file's name when it cannot be enforced as it stands. */
export function parsePolicy(text: string): PolicyDocument {
  let json: ReturnType<typeof parseStrictJson>;
  try {
    json = parseStrictJson(text);
  } catch {
    throw new Error("is not valid JSON");
  }
  if ("objection" in json) throw new Error(json.objection);
  const { value } = json;
  demand(isMembers(value), "document", "must be an object");
  const revision = revisionOf(value);
  demand(value["schema_version"] === "v1", "schema_version", "must be v1");
  demand(
    value["revision"] === revision,
    "revision",
    `must be ${revision}: generate again and review the difference`,
  );
  return value as unknown as PolicyDocument;
}
