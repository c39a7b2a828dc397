/**
 * Readers of the client files, each as strict as its client's documented format allows: an unknown key, a wrong
 * type or a reference that the client does not know is an error, and references are resolved as the client does.
 */
import { Ajv2020 } from "ajv/dist/2020.js";

/** One server as a client would reach it. */
export type Reached =
  | { readonly kind: "http"; readonly url: URL; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly kind: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      /** `undefined` leaves it to the client: the folder that is open. */
      readonly cwd: string | undefined;
    };

export interface Machine {
  /** The folder that is open in the client. */
  readonly folder: string;
  readonly variables: Readonly<Record<string, string>>;
  /** What a person answers when the client asks. */
  readonly answers: Readonly<Record<string, string>>;
}

type Entry = Readonly<Record<string, unknown>>;
type Schema = Readonly<Record<string, unknown>>;

const TEXT = { type: "string" };
const TEXTS = { type: "array", items: TEXT };
const TEXT_MAP = { type: "object", additionalProperties: TEXT };

function closed(properties: Schema, required: readonly string[]): Schema {
  return { type: "object", properties, required, additionalProperties: false };
}

const ajv = new Ajv2020({ allErrors: true });

function demand(schema: Schema, text: string): Entry {
  const value: unknown = JSON.parse(text);
  if (!ajv.validate(schema, value)) throw new Error(ajv.errorsText(ajv.errors, { separator: "\n" }));
  return value as Entry;
}

/** Replaces every reference that `pattern` finds; anything that still looks like one is no reference at all. */
function expand(
  text: string,
  pattern: RegExp,
  resolve: (...groups: (string | undefined)[]) => string,
): string {
  const marks = [...text.matchAll(pattern)];
  if (text.split("${").length !== marks.length + 1)
    throw new Error(`not a reference of this client: ${text}`);
  return text.replace(pattern, (_whole: string, ...groups: (string | undefined)[]) => resolve(...groups));
}

function mapTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === "string") return change(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => mapTexts(item, change)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)])) as T;
}

interface Written {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

function reached({ url, headers = {}, command = "", args = [], env = {}, cwd }: Written): Reached {
  return url === undefined
    ? { kind: "stdio", command, args, env, cwd }
    : { kind: "http", url: new URL(url), headers };
}

function serversOf(servers: unknown, change: (text: string) => string): ReadonlyMap<string, Reached> {
  const entries = Object.entries(mapTexts(servers as Readonly<Record<string, Written>>, change));
  return new Map(entries.map(([name, entry]) => [name, reached(entry)]));
}

const STDIO = { command: TEXT, args: TEXTS, env: TEXT_MAP };
const typed = (type: string): Schema => ({ type: { const: type } });

/** `${VAR}` and `${VAR:-default}`, in command, args, env, url and headers; one that is not set stays as it is. */
export function readClaudeCode(text: string, { variables }: Machine): ReadonlyMap<string, Reached> {
  const http = closed({ ...typed("http"), url: TEXT, headers: TEXT_MAP }, ["type", "url"]);
  const stdio = closed({ ...typed("stdio"), ...STDIO }, ["command"]);
  const servers = { type: "object", additionalProperties: { anyOf: [http, stdio] } };
  const file = demand(closed({ mcpServers: servers }, ["mcpServers"]), text);
  const pattern = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
  return serversOf(file["mcpServers"], (written) =>
    expand(written, pattern, (name = "", fallback) => variables[name] ?? fallback ?? `\${${name}}`),
  );
}

/** `${env:NAME}`, `${workspaceFolder}` and `${userHome}`; what a variable that is not set becomes is not documented. */
export function readCursor(text: string, machine: Machine): ReadonlyMap<string, Reached> {
  const http = closed({ url: TEXT, headers: TEXT_MAP }, ["url"]);
  const stdio = closed({ ...typed("stdio"), ...STDIO, envFile: TEXT }, ["type", "command"]);
  const servers = { type: "object", additionalProperties: { anyOf: [http, stdio] } };
  const file = demand(closed({ mcpServers: servers }, ["mcpServers"]), text);
  const pattern = /\$\{(?:env:([A-Za-z_][A-Za-z0-9_]*)|workspaceFolder|userHome)\}/g;
  return serversOf(file["mcpServers"], (written) =>
    expand(written, pattern, (name) => {
      if (name === undefined) return machine.folder;
      const value = machine.variables[name];
      if (value === undefined) throw new Error(`${name} is not set`);
      return value;
    }),
  );
}

/** `${input:id}` for what is declared under `inputs`, `${env:NAME}` (empty when not set) and `${workspaceFolder}`. */
export function readVscode(text: string, machine: Machine): ReadonlyMap<string, Reached> {
  const input = closed(
    { type: { const: "promptString" }, id: TEXT, description: TEXT, password: { type: "boolean" } },
    ["type", "id"],
  );
  const url = { type: "string", pattern: "^https?://.+" };
  const http = closed({ type: { enum: ["http", "sse"] }, url, headers: TEXT_MAP }, ["url"]);
  const stdio = closed({ ...typed("stdio"), ...STDIO, cwd: TEXT, envFile: TEXT }, ["command"]);
  const servers = { type: "object", additionalProperties: { oneOf: [http, stdio] } };
  const schema = closed({ inputs: { type: "array", items: input }, servers }, ["servers"]);
  const file = demand(schema, text) as { inputs?: readonly { id: string }[]; servers: unknown };
  const ids = new Set((file.inputs ?? []).map(({ id }) => id));
  const used = new Set<string>();
  const pattern = /\$\{(?:input:([a-z0-9-]+)|env:([A-Za-z_][A-Za-z0-9_]*)|workspaceFolder)\}/g;
  const found = serversOf(file.servers, (written) =>
    expand(written, pattern, (id, name) => {
      if (id === undefined) return name === undefined ? machine.folder : (machine.variables[name] ?? "");
      used.add(id);
      const answer = machine.answers[id];
      if (!ids.has(id) || answer === undefined) throw new Error(`nobody is asked for ${id}`);
      return answer;
    }),
  );
  if (used.size !== ids.size) throw new Error("an input is asked for that no server uses");
  return found;
}

/** Processes only, nothing is expanded, and the folder they start in is not defined: paths must be absolute. */
export function readClaudeDesktop(text: string): ReadonlyMap<string, Reached> {
  const servers = { type: "object", additionalProperties: closed(STDIO, ["command"]) };
  const file = demand(closed({ mcpServers: servers }, ["mcpServers"]), text);
  return serversOf(file["mcpServers"], (written) => expand(written, /(?!)/g, () => ""));
}

/** The registry's `server.json` of 2025-12-11, as far as a server without packages uses it. */
export function readRegistry(text: string, answers: Readonly<Record<string, string>>): Reached {
  const flag = { type: "boolean" };
  const input = { description: TEXT, isRequired: flag, isSecret: flag, value: TEXT };
  const variables = { type: "object", additionalProperties: closed(input, []) };
  const header = closed({ ...input, name: TEXT, variables }, ["name"]);
  const url = { type: "string", pattern: "^https?://[^\\s]+$" };
  const remote = closed(
    { type: { enum: ["streamable-http", "sse"] }, url, headers: { type: "array", items: header } },
    ["type", "url"],
  );
  const schema = closed(
    {
      $schema: { const: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json" },
      name: { type: "string", pattern: "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", minLength: 3, maxLength: 200 },
      title: { type: "string", minLength: 1, maxLength: 100 },
      description: { type: "string", minLength: 1, maxLength: 100 },
      version: { type: "string", pattern: "^\\d+\\.\\d+\\.\\d+$" },
      remotes: { type: "array", items: remote, minItems: 1 },
    },
    ["$schema", "name", "description", "version"],
  );
  const [first] = demand(schema, text)["remotes"] as {
    url: string;
    headers: { name: string; value: string }[];
  }[];
  const headers = (first?.headers ?? []).map(({ name, value }) => [
    name,
    value.replace(/\{([a-z_]+)\}/g, (_, id: string) => answers[id] ?? `{${id}}`),
  ]);
  return { kind: "http", url: new URL(first?.url ?? ""), headers: Object.fromEntries(headers) };
}
