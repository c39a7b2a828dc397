import { defineOutput, npmPackage } from "#hook";
import type { FileSpec, Generation, QueryAnswer, Topology } from "#hook";
import { ToolFault } from "#runtime/fault";
import { parseBody } from "#runtime/stack-agent/body";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";

const HERE = "templates/stack-agent";
const SHARED = "templates/mcp-server";
const DEV_LIBRARIES = ["tsx"];

/** Where the agent's imports lead: `#runtime/stack-agent/x` is this folder's, every other one the server's. */
function sourceOf(specifier: string): string {
  const own = "stack-agent/";
  return specifier.startsWith(own)
    ? `${HERE}/runtime/${specifier.slice(own.length)}.ts`
    : `${SHARED}/runtime/${specifier}.ts`;
}

function importsIn(from: string, text: string): readonly string[] {
  const shared = [...text.matchAll(/from "#runtime\/([^"]+)"/g)].map(([, name]) => sourceOf(name ?? ""));
  const beside = [...text.matchAll(/from "\.\/([^"]+)"/g)].map(
    ([, name]) => `${from.slice(0, from.lastIndexOf("/"))}/${name ?? ""}`,
  );
  return [...shared, ...beside];
}

const closures = new WeakMap<Generation["copies"], readonly string[]>();

/** Every file that `main.ts` needs and no other, sorted: the agent carries no code that it does not run. */
function codeOf(copies: Generation["copies"]): readonly string[] {
  const known = closures.get(copies);
  if (known !== undefined) return known;
  const seen = new Set([`${HERE}/copy/main.ts`]);
  for (const from of seen) for (const next of importsIn(from, copies.get(from) ?? "")) seen.add(next);
  const sorted = [...seen].sort();
  closures.set(copies, sorted);
  return sorted;
}

function pathOf(from: string): string {
  if (from.startsWith(`${SHARED}/runtime/`)) return `agent/${from.slice(SHARED.length + 1)}`;
  if (from.startsWith(`${HERE}/runtime/`))
    return `agent/runtime/stack-agent/${from.slice(`${HERE}/runtime/`.length)}`;
  return `agent/${from.slice(`${HERE}/copy/`.length)}`;
}

function packageFiles(topology: Topology, generation: Generation): readonly FileSpec[] {
  const { packageJson, packageLock } = npmPackage(generation.lock(), {
    name: `${topology.stack}-agent`,
    description: `Stack agent of the stack ${topology.stack}`,
    scripts: { start: "node start.mjs" },
    imports: { "#runtime/*": "./runtime/*.ts" },
    dependencies: [],
    devDependencies: DEV_LIBRARIES,
  });
  const data = { kind: "data", layout: "pretty" } as const;
  return [
    { ...data, path: "agent/package.json", from: `${HERE}/output.ts`, json: packageJson },
    { ...data, path: "agent/package-lock.json", from: "package-lock.json", json: packageLock },
  ];
}

function agentFiles(topology: Topology, generation: Generation): readonly FileSpec[] {
  const copied = (path: string, from: string): FileSpec => ({ kind: "copied", path, from });
  return [
    ...codeOf(generation.copies).map((from) => copied(pathOf(from), from)),
    copied("agent/start.mjs", `${SHARED}/copy/start.mjs`),
    copied("agent/tsconfig.json", `${SHARED}/copy/tsconfig.json`),
    ...packageFiles(topology, generation),
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

/**
 * `topology.json` for the topology tools, which read it in the server's own process, and the agent as a service
 * of its own over the same data. Only a stack with a link to the stack agent has them.
 */
export default defineOutput({
  name: "stack-agent",
  libraries: DEV_LIBRARIES,
  files: (topology, facts, generation) => {
    if (!generation.links.some(({ link }) => link.component.type === "stack_agent")) return [];
    const drawing = (path: string): FileSpec => ({
      kind: "data",
      path,
      from: "hooks/topology-metadata.ts",
      json: facts["topology-metadata"] as object,
      layout: "rows",
    });
    return [
      drawing("server/topology.json"),
      drawing("agent/topology.json"),
      ...agentFiles(topology, generation),
    ];
  },
  query: (facts, question) => answerOf(facts["topology-metadata"] as TopologyData, question),
});
