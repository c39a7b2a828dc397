import { defineOutput, jsonRows, npmPackage, rowTexts } from "#hook";
import type { Facts, FileSpec, Generation, QueryAnswer, Topology } from "#hook";
import { ToolFault } from "#runtime/fault";
import { parseBody } from "#runtime/stack-agent/body";
import { createEngine } from "#runtime/stack-agent/engine";
import { TOPOLOGY_SECTIONS } from "#runtime/stack-agent/topology-data";
import type { TopologyData, TopologySection } from "#runtime/stack-agent/topology-data";
import { topologyFile } from "#runtime/stack-agent/topology-file";

const HERE = "templates/stack-agent";
const SHARED = "templates/mcp-server";
const DEV_LIBRARIES = ["tsx"];

/** What of the repository is copied, and where a specifier of the runtime leads. */
interface Code {
  readonly copies: Generation["copies"];
  sourceOf(specifier: string): string;
}

/** `#runtime/postgresql/x` is of that folder, `#runtime/x` of every server. */
function codeIn(copies: Generation["copies"]): Code {
  return {
    copies,
    sourceOf: (specifier) => {
      const slash = specifier.indexOf("/");
      const own = `templates/${specifier.slice(0, slash)}/runtime/${specifier.slice(slash + 1)}.ts`;
      return slash > 0 && copies.get(own) !== undefined ? own : `${SHARED}/runtime/${specifier}.ts`;
    },
  };
}

function importsIn(from: string, { copies, sourceOf }: Code): readonly string[] {
  const folder = from.slice(0, from.lastIndexOf("/"));
  return (copies.get(from)?.imports ?? []).flatMap((specifier) => {
    if (specifier.startsWith("#runtime/")) return [sourceOf(specifier.slice("#runtime/".length))];
    return specifier.startsWith("./") ? [`${folder}/${specifier.slice(2)}`] : [];
  });
}

/** Every file that `start` needs and no other, sorted: the agent carries no code that it does not run. */
function closureOf(start: readonly string[], code: Code): readonly string[] {
  const seen = new Set(start);
  for (const from of seen) for (const next of importsIn(from, code)) seen.add(next);
  return [...seen].sort();
}

const closures = new WeakMap<Generation["copies"], Map<string, readonly string[]>>();

/** The code of an agent whose tests ask these guards, which nothing imports by name. */
function codeOf(guards: readonly string[], copies: Generation["copies"]): readonly string[] {
  const known = closures.get(copies) ?? new Map<string, readonly string[]>();
  closures.set(copies, known);
  const key = guards.join(" ");
  const code = codeIn(copies);
  const found =
    known.get(key) ??
    closureOf([`${HERE}/copy/main.ts`, ...guards.map((guard) => code.sourceOf(guard))], code);
  known.set(key, found);
  return found;
}

/** Files that judge queries, as the lists of the linked types name them. */
function guardsIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "guard" in value && typeof value.guard === "string" ? [value.guard] : [];
  const guards = new Set([...own, ...Object.values(value).flatMap(guardsIn)]);
  return [...guards].sort();
}

/** Libraries that the files import. */
function librariesOf(files: readonly string[], copies: Generation["copies"]): readonly string[] {
  const bare = files.flatMap((from) =>
    (copies.get(from)?.imports ?? []).filter((specifier) => !/^(?:[.#]|node:)/.test(specifier)),
  );
  return [...new Set(bare)].sort();
}

function pathOf(from: string): string {
  if (from.startsWith(`${SHARED}/runtime/`)) return `agent/${from.slice(SHARED.length + 1)}`;
  if (from.startsWith(`${HERE}/copy/`)) return `agent/${from.slice(`${HERE}/copy/`.length)}`;
  const [, folder = "", , ...rest] = from.split("/");
  return `agent/runtime/${folder}/${rest.join("/")}`;
}

function packageFiles(
  topology: Topology,
  generation: Generation,
  libraries: readonly string[],
): readonly FileSpec[] {
  const { packageJson, packageLock } = npmPackage(generation.lock(), {
    name: `${topology.stack}-agent`,
    description: `Stack agent of the stack ${topology.stack}`,
    scripts: { start: "node start.mjs" },
    imports: { "#runtime/*": "./runtime/*.ts" },
    dependencies: libraries,
    devDependencies: DEV_LIBRARIES,
  });
  const data = { kind: "data", layout: "pretty" } as const;
  return [
    { ...data, path: "agent/package.json", from: `${HERE}/output.ts`, json: packageJson },
    { ...data, path: "agent/package-lock.json", from: "package-lock.json", json: packageLock },
  ];
}

function agentFiles(topology: Topology, facts: Facts, generation: Generation): readonly FileSpec[] {
  const { copies } = generation;
  const files = codeOf(guardsIn(facts["commands"]), copies);
  const copied = (path: string, from: string): FileSpec => ({ kind: "copied", path, from });
  return [
    ...files.map((from) => copied(pathOf(from), from)),
    copied("agent/start.mjs", `${SHARED}/copy/start.mjs`),
    copied("agent/tsconfig.json", `${SHARED}/copy/tsconfig.json`),
    ...packageFiles(topology, generation, librariesOf(files, copies)),
  ];
}

/** What `POST /metadata/q` would answer, from the drawing instead of from `topology.json`. */
function answerOf(data: TopologyData, question: string): QueryAnswer {
  try {
    const engine = createEngine(data);
    return { ok: true, text: engine.serialise(engine.query(parseBody(Buffer.from(question)))) };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    const { code, message, hint } = error;
    return { ok: false, text: JSON.stringify({ code, message, hint }) };
  }
}

/** Somewhat less than half of what a ConfigMap holds. */
const PART_BYTES = 500 * 1024;

type Rows = Record<TopologySection, string[]>;
const noRows = (): Rows => ({ components: [], links: [], reach: [], documents: [] });

/** What each file of the drawing holds, see `readTopology`: one, as long as a ConfigMap takes it. */
function partsOf(data: TopologyData): readonly object[] {
  const parts = [noRows()];
  let bytes = 0;
  for (const section of TOPOLOGY_SECTIONS) {
    for (const row of rowTexts(data[section])) {
      const size = Buffer.byteLength(row);
      if (bytes > 0 && bytes + size > PART_BYTES) {
        parts.push(noRows());
        bytes = 0;
      }
      parts.at(-1)?.[section].push(row);
      bytes += size;
    }
  }
  if (parts.length === 1) return [data];
  const [first, ...others] = parts.map((part) =>
    Object.fromEntries(TOPOLOGY_SECTIONS.map((section) => [section, jsonRows(part[section])])),
  );
  return [{ ...data, ...first, parts: parts.length }, ...others];
}

/** The drawing, and what may be run in it, for the folders that answer from them. */
function dataFiles(facts: Facts): readonly FileSpec[] {
  const parts = partsOf(facts["topology-metadata"] as TopologyData);
  return ["server", "agent"].flatMap((folder) => {
    const file = (name: string, hook: string, json: object): FileSpec => ({
      kind: "data",
      path: `${folder}/${name}.json`,
      from: `hooks/${hook}.ts`,
      json,
      layout: "rows",
    });
    return [
      ...parts.map((part, at) => file(topologyFile(at), "topology-metadata", part)),
      file("commands", "commands", facts["commands"] as object),
    ];
  });
}

/**
 * `topology.json` and `commands.json` for the topology tools, which read them in the server's own process, and the
 * agent as a service of its own over the same data. Only a stack with a link to the stack agent has them.
 */
export default defineOutput({
  name: "stack-agent",
  libraries: DEV_LIBRARIES,
  files: (topology, facts, generation) =>
    generation.links.some(({ link }) => link.component.type === "stack_agent")
      ? [...dataFiles(facts), ...agentFiles(topology, facts, generation)]
      : [],
  query: (facts, question) => answerOf(facts["topology-metadata"] as TopologyData, question),
});
