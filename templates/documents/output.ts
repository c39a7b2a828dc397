import { defineOutput, factsOf, parameterTable } from "#hook";
import type { FileSpec, Generation, Topology } from "#hook";
import type writeGatesHook from "../../hooks/write-gates.ts";
import type accessMatrixHook from "../../hooks/access-matrix.ts";
import type surfaceHook from "../../hooks/surface.ts";
import type credentialsHook from "../../hooks/credentials.ts";
import type stateHook from "../../hooks/state.ts";
import type serverAddressHook from "../../hooks/server-address.ts";
import type rulesHook from "../../hooks/rules.ts";
import type oauthHook from "../../hooks/oauth.ts";
import { rulesView } from "./rules.ts";
import { runbookView } from "./runbook.ts";
import { tokensView } from "./tokens.ts";
import type { SurfacePrompt, SurfaceTool } from "../../hooks/surface.ts";

const HERE = "templates/documents";

function toolView(tool: SurfaceTool): object {
  const parameters = parameterTable(tool.inputSchema);
  return {
    ...tool,
    targets: tool.targets.join(", "),
    limits: Object.entries(tool.limits)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
    isWrite: tool.access !== "read",
    parameters,
    hasParameters: parameters.length > 0,
    hasLimits: Object.keys(tool.limits).length > 0,
  };
}

function linkViews(tools: readonly SurfaceTool[], { links }: Generation): readonly object[] {
  return links.map(({ link }) => ({
    id: link.id,
    name: link.component.name,
    drawn: link.drawn,
    access: link.access,
    tools: tools.filter((tool) => tool.link === link.id).map(toolView),
  }));
}

function promptView(prompt: SurfacePrompt): object {
  const { name, version, hash, title, description, arguments: args } = prompt;
  return {
    name,
    version,
    hash: hash.slice(0, "sha256:".length + 12),
    title,
    description,
    parameters: args.map(({ name: argument, required }) => ({
      name: argument,
      isOptional: required !== true,
    })),
  };
}

/** More boxes than this are no picture any more, and most viewers refuse them. */
const MOST_DRAWN = 150;
/** More lines than this are counted by type. */
const MOST_LISTED = 200;

/** All components, or in a large stack what AI reaches and what is linked with it. */
function drawnComponents(topology: Topology, reached: ReadonlyMap<string, unknown>): Topology["components"] {
  const { components, links } = topology;
  if (components.length <= MOST_DRAWN) return components;
  const isNear = new Set(reached.keys());
  for (const { from, to } of links) {
    if (reached.has(to.component.name)) isNear.add(from.component.name);
    if (reached.has(from.component.name)) isNear.add(to.component.name);
  }
  return components.filter(({ name }) => isNear.has(name)).slice(0, MOST_DRAWN);
}

/** What AI reaches is coloured by how far it may go; everything else stays grey. */
function diagramView(topology: Topology): object {
  const access = new Map(topology.mcpLinks.map((link) => [link.component.name, link.access]));
  const components = drawnComponents(topology, access);
  const ids = new Map(components.map((component, at) => [component.name, `c${at}`]));
  const pairs = new Map<string, object>();
  for (const link of topology.links) {
    const [from, to] = [ids.get(link.from.component.name), ids.get(link.to.component.name)];
    if (from === undefined || to === undefined) continue;
    const isAi = link.from.component.builtin;
    const word = isAi ? (access.get(link.to.component.name) ?? null) : link.access;
    pairs.set(`${from} ${to}`, { from, to, word: word ?? "", hasWord: word !== null });
  }
  const left = topology.components.length - components.length;
  return {
    isPart: left > 0,
    left,
    nodes: components.map(({ name, type, builtin }) => ({
      id: ids.get(name) ?? name,
      name,
      type,
      style: builtin && name === "mcp" ? "gate" : (access.get(name) ?? "unreachable"),
    })),
    links: [...pairs.values()],
  };
}

type Matrix = ReturnType<(typeof accessMatrixHook)["derive"]>;

const CELL = { w: "write", p: "propose", r: "read", "-": "nothing" } as const;

function matrixView({ grants, rows }: Matrix): object {
  return {
    hasRows: rows.length > 0,
    grants: grants.map((grant) => ({ ...grant, expires: grant.expires ?? "never" })),
    rows: rows.map((row) => ({
      ...row,
      cells: row.cells.map(({ access, tools }) =>
        access === "-" ? CELL[access] : `${CELL[access]} (${tools})`,
      ),
      credentials: row.credentials.join(", ") || "none",
      egress: row.noEgress === null ? row.egress.join(", ") : `none: ${row.noEgress}`,
    })),
  };
}

/** What AI cannot reach: each component by name, or in a large stack how many there are of each type. */
function unreachable(topology: Topology): {
  readonly rows: readonly object[];
  readonly counts: readonly object[];
} {
  const reached = new Set(topology.mcpLinks.map(({ component }) => component.name));
  const rows = topology.components.filter(({ name, builtin }) => !builtin && !reached.has(name));
  if (rows.length <= MOST_LISTED) {
    return { rows: rows.map(({ name, type, namespace }) => ({ name, type, namespace })), counts: [] };
  }
  const counts = new Map<string, number>();
  for (const { type } of rows) counts.set(type, (counts.get(type) ?? 0) + 1);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { rows: [], counts: sorted.map(([type, count]) => ({ type, count })) };
}

export default defineOutput({
  name: "documents",
  files: (topology, facts, generation) => {
    const { tools, prompts, resources } = factsOf<typeof surfaceHook>(facts, "surface");
    const matrix = matrixView(factsOf<typeof accessMatrixHook>(facts, "access-matrix"));
    const { gates } = factsOf<typeof writeGatesHook>(facts, "write-gates");
    const rules = factsOf<typeof rulesHook>(facts, "rules");
    const oauth = factsOf<typeof oauthHook>(facts, "oauth");
    const hidden = unreachable(topology);
    const head = {
      stack: topology.stack,
      environment: topology.environment ?? "base",
      title: topology.environment === null ? topology.stack : `${topology.stack} (${topology.environment})`,
      description: topology.description ?? "",
      hasDescription: topology.description !== null,
      source: topology.source,
      framework: topology.server.framework,
      toolCount: tools.length,
      linkCount: generation.links.length,
      takesKeys: oauth?.takesKeys ?? true,
    };
    const links = linkViews(tools, generation);
    const state = factsOf<typeof stateHook>(facts, "state");
    const writes = tools.filter((tool) => tool.access !== "read").map(toolView);
    const rendered = (path: string, template: string, view: object): FileSpec => ({
      kind: "rendered",
      path,
      from: `${HERE}/${template}`,
      view: { ...head, ...view },
    });
    return [
      rendered("README.md", "readme.md.hbs", { links }),
      rendered("docs/TOOLS.md", "tools.md.hbs", {
        links,
        hasLinks: links.length > 0,
        resources,
        hasResources: resources.length > 0,
        prompts: prompts.map(promptView),
        hasPrompts: prompts.length > 0,
      }),
      rendered("docs/ACCESS.md", "access.md.hbs", { matrix, tokens: tokensView(oauth) }),
      rendered("docs/GOVERNANCE.md", "governance.md.hbs", {
        writes,
        hasWrites: writes.length > 0,
        gates,
        hasGates: gates.length > 0,
        hidden,
        sharesState: state !== null,
        hasHidden: hidden.rows.length + hidden.counts.length > 0,
      }),
      ...(rules.files.length === 0 ? [] : [rendered("docs/RULES.md", "rules.md.hbs", rulesView(rules))]),
      rendered("docs/RUNBOOK.md", "runbook.md.hbs", {
        ...runbookView({
          topology,
          address: factsOf<typeof serverAddressHook>(facts, "server-address"),
          key: factsOf<typeof credentialsHook>(facts, "credentials").own.find(
            ({ name }) => name === "MCP_API_KEY",
          ),
          oauth,
          gates,
          stateHeads: state === null ? null : `${state.prefix}audit`,
          folder:
            topology.environment === null ? `out/${topology.stack}` : `out/${head.stack}.${head.environment}`,
        }),
      }),
      rendered("docs/topology.mmd", "topology.mmd.hbs", diagramView(topology)),
      rendered(".gitattributes", "gitattributes.hbs", {}),
    ];
  },
});
