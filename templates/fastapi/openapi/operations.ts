/** The tools that an OpenAPI document gives, made when the drawing is generated: nothing is read at run time. */
import {
  MAX_LISTED_BYTES,
  foreignText,
  listOf,
  openDocument,
  plainerForms,
  recordOf,
  toolNames,
} from "#contract";
import type { DerivedTool, ForeignDocument, Json, McpLink, Report, Topology } from "#contract";
import { MAX_ROWS } from "#runtime/fastapi/limits";
import type { Input, Operation } from "#runtime/fastapi/operation";
import { shownTool } from "#runtime/tool";
import { returnsOf } from "./answer.ts";
import { argumentsOf } from "./arguments.ts";
import type { Argument } from "./arguments.ts";
import { isReadable, operationsOf } from "./document.ts";
import type { Described, Method } from "./document.ts";

const PREFIX = "fastapi";
const MAX_TOOLS = 20;
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

interface Making {
  readonly document: ForeignDocument;
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
  const shown = plainerForms(found.inputs.map(({ schema }) => schema))
    .map((schemas) => found.inputs.map((input, at) => ({ ...input, schema: schemas[at] ?? {} })))
    .map((inputs) => shownTool({ ...about, inputSchema: inputSchemaOf(inputs, isWrite) }))
    .find((each) => Buffer.byteLength(JSON.stringify(each)) <= MAX_LISTED_BYTES);
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
  if (content === undefined) {
    report(
      "W-NO-DOCUMENT",
      `no openapi document of "${component.name}" is drawn, so that AI can only ask for its health`,
      component.path,
    );
    return [];
  }
  if (!isReadable(content, say)) return [];
  const document = openDocument(content, say);
  const all = chosen(operationsOf(document), link, report);
  const names = toolNames(
    all.map(({ id, method, path }) => ({ id, distinct: `${method} ${path}` })),
    { taken: TAKEN, prefixes: [PREFIX, component.name] },
  );
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
    .flatMap((described, at) => toolOf(described, names[at] ?? "", making) ?? [])
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
