/** The tools that an OpenAPI document gives, made when the drawing is generated: nothing is read at run time. */
import { hash } from "node:crypto";
import { foreignText } from "#contract";
import type { DerivedTool, McpLink, Report, Topology } from "#contract";
import { MAX_ROWS } from "#runtime/fastapi/limits";
import type { Input, Operation } from "#runtime/fastapi/operation";
import { shownTool } from "#runtime/tool";
import { returnsOf } from "./answer.ts";
import { argumentsOf } from "./arguments.ts";
import type { Argument } from "./arguments.ts";
import { isReadable, listOf, openDocument, operationsOf, recordOf } from "./document.ts";
import type { Described, Document, Json, Method } from "./document.ts";

const PREFIX = "fastapi";
const MAX_TOOLS = 20;
const MAX_NAME = 64;
/** Of a tool in the list that every client reads before it calls anything. */
const MAX_LISTED_BYTES = 1400;
const DEFAULT_KEY_HEADER = "X-API-Key";
/** The module's own tools. */
const TAKEN = ["health", "list_operations"];

const EFFECTS: Readonly<Record<Method, Operation["effect"]>> = {
  GET: "read",
  HEAD: "read",
  POST: "additive",
  PUT: "additive",
  PATCH: "additive",
  DELETE: "destructive",
};

const WRITE_PARAMETERS: Readonly<Record<string, Json>> = {
  dry_run: {
    type: "boolean",
    default: true,
    description: "Only shows the request; the service does not see it.",
  },
  reason: { type: "string", minLength: 8, maxLength: 500, description: "Why, for the audit." },
};

export function documentOf(link: McpLink, topology: Topology): unknown {
  const { name } = link.component;
  return topology.documents.find(({ component, attribute }) => component === name && attribute === "openapi")
    ?.content;
}

/** Header of the document's own API key scheme. */
export function keyHeaderOf(content: unknown): string {
  const schemes = recordOf(recordOf(recordOf(content)["components"])["securitySchemes"]);
  const key = Object.values(schemes)
    .map(recordOf)
    .find((scheme) => scheme["type"] === "apiKey" && scheme["in"] === "header");
  const name = key?.["name"];
  return typeof name === "string" && /^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(name) ? name : DEFAULT_KEY_HEADER;
}

function snake(id: string): string {
  return id
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
}

/** Names by operation: one that is taken or too long ends in a digest of what it calls. */
function namesOf(all: readonly Described[], longest: number): ReadonlyMap<Described, string> {
  const wanted = new Map<string, number>(TAKEN.map((name) => [name, 1]));
  for (const { id } of all) wanted.set(snake(id), (wanted.get(snake(id)) ?? 0) + 1);
  return new Map(
    all.map((described) => {
      const name = snake(described.id);
      if (wanted.get(name) === 1 && name !== "" && name.length <= longest) return [described, name];
      const digest = hash("sha256", `${described.method} ${described.path}`, "hex").slice(0, 6);
      return [
        described,
        `${name.slice(0, Math.max(0, longest - 7)).replace(/_+$/, "")}_${digest}`.replace(/^_/, ""),
      ];
    }),
  );
}

function descriptionOf({ method, path, operation }: Described): string {
  const said = foreignText(operation["summary"] ?? operation["description"], 300);
  const words = said === "" ? "" : ` The service says of it: ${said}`;
  const bound = EFFECTS[method] === "read" ? ` A list ends after ${MAX_ROWS} items.` : "";
  return `Use to call ${method} ${foreignText(path.replaceAll("{", ":").replaceAll("}", ""), 100)}.${bound}${words}`;
}

function inputSchemaOf(inputs: readonly Argument[], isWrite: boolean): Json {
  const properties = Object.fromEntries(inputs.map(({ argument, schema }) => [argument, schema]));
  const required = inputs.filter((input) => input.required).map(({ argument }) => argument);
  const all = [...required, ...(isWrite ? ["reason"] : [])];
  return {
    type: "object",
    properties: { ...properties, ...(isWrite ? WRITE_PARAMETERS : {}) },
    ...(all.length === 0 ? {} : { required: all }),
    additionalProperties: false,
  };
}

function withoutDescriptions(schema: Json): Json {
  const entries = Object.entries(schema).filter(
    ([key, value]) => key !== "description" || typeof value !== "string",
  );
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      Array.isArray(value)
        ? value.map((each: unknown) =>
            typeof each === "object" && each !== null ? withoutDescriptions(each as Json) : each,
          )
        : typeof value === "object" && value !== null
          ? withoutDescriptions(value as Json)
          : value,
    ]),
  );
}

/** What stands inside of a parameter goes unsaid: the service checks it. */
function flattened({ schema, ...argument }: Argument): Argument {
  const { type, anyOf, maxItems } = schema;
  if (type === "array")
    return { ...argument, schema: { type, items: {}, ...(maxItems === undefined ? {} : { maxItems }) } };
  if (type === "object") return { ...argument, schema: { type } };
  return { ...argument, schema: anyOf === undefined ? schema : {} };
}

type Shown = ReturnType<typeof shownTool>;

/** The fullest form of the tool that is small enough to be listed. */
function fitting(
  make: (inputs: readonly Argument[]) => Shown,
  inputs: readonly Argument[],
): Shown | undefined {
  const bare = inputs.map((input) => ({ ...input, schema: withoutDescriptions(input.schema) }));
  return [inputs, bare, bare.map(flattened)]
    .map((each) => make(each))
    .find((shown) => Buffer.byteLength(JSON.stringify(shown)) <= MAX_LISTED_BYTES);
}

interface Making {
  readonly document: Document;
  readonly keyHeader: string;
  readonly problem: (described: Described, text: string) => undefined;
}

function toolOf(
  described: Described,
  name: string,
  { document, keyHeader, problem }: Making,
): DerivedTool | undefined {
  const { method, path, operation } = described;
  const effect = EFFECTS[method];
  const isWrite = effect !== "read";
  const taken = new Set(isWrite ? Object.keys(WRITE_PARAMETERS) : []);
  const found = argumentsOf(document, described, { keyHeader, taken });
  if ("problem" in found) return problem(described, found.problem);
  const title = foreignText(operation["summary"], 60) || `${method} ${foreignText(path, 60)}`;
  const about = { name: `${PREFIX}_${name}`, title, description: descriptionOf(described), effect };
  const shown = fitting(
    (inputs) => shownTool({ ...about, inputSchema: inputSchemaOf(inputs, isWrite) }),
    found.inputs,
  );
  if (shown === undefined)
    return problem(described, `has more parameters than a tool of ${MAX_LISTED_BYTES} bytes can list`);
  const inputs = found.inputs.map(({ argument, place, name: member, joined }): Input => ({
    argument,
    place,
    name: member,
    ...(joined === undefined ? {} : { joined }),
  }));
  const row: Omit<Operation, "name"> = {
    title,
    description: shown.description,
    effect,
    inputSchema: shown.inputSchema,
    method,
    path,
    inputs,
    ...(found.body === undefined ? {} : { body: found.body }),
    returns: method === "HEAD" ? true : returnsOf(document, described),
  };
  return { shown: { ...shown, annotations: { ...shown.annotations } }, row: { ...row } };
}

/** Those that the drawing names, or all. */
function chosen(all: readonly Described[], link: McpLink, report: Report): readonly Described[] {
  const { attributes, path } = link.component;
  const wanted = listOf(attributes["operations"]).map(String);
  if (wanted.length === 0) return all;
  for (const id of wanted.filter((each) => !all.some((described) => described.id === each)))
    report("E-REF", `the document has no operation ${JSON.stringify(id.slice(0, 100))}, or hides it`, [
      ...path,
      "operations",
    ]);
  return all.filter(({ id }) => wanted.includes(id));
}

export function derivedTools(link: McpLink, topology: Topology, report: Report): readonly DerivedTool[] {
  const { component } = link;
  const at = [...component.path, "openapi"];
  const content = documentOf(link, topology);
  const say = (problem: string): void =>
    report("E-SHAPE", `the document of "${component.name}": ${problem}`, at);
  if (content === undefined || !isReadable(content, say)) return [];
  const document = openDocument(content, say);
  const all = chosen(operationsOf(document), link, report);
  const names = namesOf(all, MAX_NAME - 1 - Math.max(PREFIX.length, component.name.length));
  const making: Making = {
    document,
    keyHeader: keyHeaderOf(content),
    problem: ({ method, path }, text) => {
      // A write is offered only when the link names it; nobody asked for this one yet.
      if (EFFECTS[method] === "read")
        say(
          `${method} ${foreignText(path, 100)} ${text}; exclude it with x-mcp: false, or name others under operations`,
        );
      return undefined;
    },
  };
  const tools = all
    .flatMap((described) => toolOf(described, names.get(described) ?? "", making) ?? [])
    .sort((a, b) => (a.shown.name < b.shown.name ? -1 : 1));
  const named = new Set(link.tools);
  const offered = tools.filter(({ shown }) => shown.effect === "read").length + named.size;
  if (offered > MAX_TOOLS)
    report(
      "E-LIMIT",
      `${offered} operations of "${component.name}" would be tools, ${MAX_TOOLS} are the most: name those that AI needs under operations`,
      at,
    );
  return tools;
}
