/** The tools of another server, from a committed file that holds what it answered to `tools/list`. */
import {
  MAX_LISTED_BYTES,
  defaultOf,
  foreignText,
  inputOf,
  listOf,
  openDocument,
  own,
  plainerForms,
  recordOf,
  toolNames,
} from "#contract";
import type { DerivedTool, Json, McpLink, Report, Topology } from "#contract";
import { definitionDigest } from "#runtime/external-mcp-server/pinned";
import type { PinnedTool } from "#runtime/external-mcp-server/pinned";
import { shownTool } from "#runtime/tool";

const PREFIX = "mcp_server";
const MAX_TOOLS = 20;
const NAME = /^[A-Za-z0-9_./-]{1,128}$/;
/** The module's own tool. */
const TAKEN = ["check"];
const REASON: Json = { type: "string", minLength: 8, maxLength: 500, description: "Why, for the audit." };

interface Listed {
  readonly name: string;
  readonly definition: Json;
  readonly pin: string;
}

function listedIn(content: unknown, say: (problem: string) => void): readonly Listed[] {
  const tools = recordOf(content)["tools"];
  if (!Array.isArray(tools)) say("is no answer to tools/list: write {tools: [...]}");
  const seen = new Set<string>();
  return listOf(tools).flatMap((each, at): Listed[] => {
    const definition = recordOf(each);
    const { name } = definition;
    const pin = definitionDigest(definition);
    if (typeof name !== "string" || !NAME.test(name) || pin === null) {
      say(`tool ${at + 1} has no name of letters, digits and _ . / -, or holds what JSON cannot say`);
      return [];
    }
    if (seen.has(name)) say(`lists ${name} twice`);
    seen.add(name);
    return [{ name, definition, pin }];
  });
}

function namesIn(
  link: McpLink,
  attribute: string,
  listed: readonly Listed[],
  report: Report,
): ReadonlySet<string> {
  const names = listOf(link.component.attributes[attribute]).map(String);
  for (const name of names.filter((each) => !listed.some((tool) => tool.name === each)))
    report(
      "E-REF",
      `the listing of "${link.component.name}" has no tool ${JSON.stringify(name.slice(0, 128))}`,
      [...link.component.path, attribute],
    );
  return new Set(names);
}

/** Parameters as this server checks them; the other server checks its own schema too. */
function parametersOf(
  definition: Json,
  say: (problem: string) => void,
): { properties: Json; required: readonly string[] } {
  const document = openDocument(definition["inputSchema"], say);
  const schema = inputOf(document, document.root);
  const properties = recordOf(schema["properties"]);
  const written = recordOf(document.part(document.root)?.value["properties"]);
  const complete = Object.entries(properties).map(([name, each]) => [
    name,
    { ...recordOf(each), ...defaultOf(document, own(written, name) ?? {}, recordOf(each)) },
  ]);
  return {
    properties: Object.fromEntries(complete) as Json,
    required: listOf(schema["required"]).map(String),
  };
}

function toolOf(
  listed: Listed,
  name: string,
  isRead: boolean,
  say: (problem: string) => void,
): DerivedTool | undefined {
  const { definition, pin } = listed;
  const { properties, required } = parametersOf(definition, (problem) => say(`${listed.name}: ${problem}`));
  const takesReason = !isRead && !Object.hasOwn(properties, "reason");
  const names = Object.keys(properties);
  const all = [...required, ...(takesReason ? ["reason"] : [])];
  const said = foreignText(definition["description"], 300);
  const about = {
    name: `${PREFIX}_${name}`,
    title:
      foreignText(definition["title"] ?? recordOf(definition["annotations"])["title"], 60) || listed.name,
    description: `Use to call ${listed.name} of another server.${said === "" ? "" : ` It says of it: ${said}`}`,
    // Its own annotations are a stranger's word: only the drawing says that a tool reads.
    effect: isRead ? ("read" as const) : ("destructive" as const),
  };
  const shown = plainerForms(names.map((each) => recordOf(properties[each])))
    .map((schemas) => Object.fromEntries(names.map((each, at) => [each, schemas[at] ?? {}])))
    .map((form) => ({ ...form, ...(takesReason ? { reason: REASON } : {}) }))
    .map((form) =>
      shownTool({
        ...about,
        inputSchema: {
          type: "object",
          properties: form,
          ...(all.length === 0 ? {} : { required: all }),
          additionalProperties: false,
        },
      }),
    )
    .find((each) => Buffer.byteLength(JSON.stringify(each)) <= MAX_LISTED_BYTES);
  if (shown === undefined) {
    say(
      `${listed.name} has more parameters than a tool of ${MAX_LISTED_BYTES} bytes can list: leave it out of allow_tools`,
    );
    return undefined;
  }
  const { title, description, effect, inputSchema } = shown;
  const row: Omit<PinnedTool, "name"> = {
    title,
    description,
    effect,
    inputSchema,
    upstream: listed.name,
    pin,
    ours: takesReason ? ["reason"] : [],
  };
  return { shown: { ...shown, annotations: { ...shown.annotations } }, row: { ...row } };
}

export function derivedTools(link: McpLink, topology: Topology, report: Report): readonly DerivedTool[] {
  const { component } = link;
  const at = [...component.path, "listing"];
  const document = topology.documents.find(
    (each) => each.component === component.name && each.attribute === "listing",
  );
  if (document === undefined) {
    report(
      "W-NO-DOCUMENT",
      `no listing of "${component.name}" is drawn, so that none of its tools can be called`,
      component.path,
    );
    return [];
  }
  const say = (problem: string): void =>
    report("E-SHAPE", `the listing of "${component.name}" ${problem}`, at);
  const listed = listedIn(document.content, say);
  const allowed = namesIn(link, "allow_tools", listed, report);
  const reads = namesIn(link, "read_tools", listed, report);
  const offered = allowed.size === 0 ? listed : listed.filter(({ name }) => allowed.has(name));
  for (const { name, definition } of offered)
    if (reads.has(name) && recordOf(definition["annotations"])["readOnlyHint"] === false)
      report(
        "E-ACCESS",
        `${name} says of itself that it writes: take it out of read_tools and name it under tools of the link`,
        at,
      );
  const names = toolNames(
    offered.map(({ name }) => ({ id: name, distinct: name })),
    { taken: TAKEN, prefixes: [PREFIX, component.name] },
  );
  const tools = offered
    .flatMap((each, index) => toolOf(each, names[index] ?? "", reads.has(each.name), say) ?? [])
    .sort((a, b) => (a.shown.name < b.shown.name ? -1 : 1));
  const count = tools.filter(({ shown }) => shown.effect === "read").length + (link.tools?.length ?? 0);
  if (count > MAX_TOOLS)
    report(
      "E-LIMIT",
      `${count} tools of "${component.name}" would be given, ${MAX_TOOLS} are the most: choose with allow_tools`,
      at,
    );
  return tools;
}
