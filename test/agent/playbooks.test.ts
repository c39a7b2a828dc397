import { describe, expect, it } from "vitest";
import catalog from "#catalog";
import { derive } from "../../generator/emit/emit.ts";
import type { Generation, LinkModule } from "../../generator/hook/contract.ts";
import type { FileTree } from "../../generator/tree/file-tree.ts";
import contents from "../../hooks/contents.ts";
import { topologyOf, treeOf } from "../harness/in-process.ts";

const SMALL = `apiVersion: topology/v1
stack: small
components: {fastapi: {namespace: app}}
links: {fastapi: {}, mcp: {stack_agent: read}}
`.replace("fastapi: {}, ", "");

const LINKED = `apiVersion: topology/v1
stack: linked
domain: example.com
components:
  cnpg: {namespace: db, databases: [orders]}
  metrics: {type: prometheus, namespace: monitoring}
  valkey: {namespace: cache}
  apisix: {namespace: ingress}
  fastapi: {namespace: app}
links:
  apisix: {fastapi: {subdomain: api}}
  fastapi: {cnpg/orders: readwrite}
  mcp: {stack_agent: read, cnpg: read, metrics: read, valkey: write}
`;

const PROMPTS = [
  "check_logs",
  "diagnose_component",
  "explain_stack",
  "incident_response",
  "run_validation",
  "trace_data_flow",
];

interface Lock {
  readonly tools: readonly { readonly name: string }[];
  readonly prompts: readonly {
    readonly name: string;
    readonly hash: string;
    readonly arguments: readonly { readonly name: string; readonly required: boolean }[];
  }[];
  readonly resources: readonly { readonly uri: string; readonly hash: string }[];
}

const lockOf = (tree: FileTree): Lock =>
  JSON.parse(tree.get("server/surface.lock.json")?.text ?? "{}") as Lock;
const textsOf = (tree: FileTree): readonly (readonly [string, string])[] =>
  [...tree]
    .filter(([path]) => /^server\/(prompts|resources)\//.test(path))
    .map(([path, file]) => [path, file.text]);

/** Every name that some tool of the catalog has in some stack: a text that says one means the tool. */
const EVERY_TOOL = new Set(
  [...catalog.modules.values()].flatMap(({ tools }) => tools.map(({ name }) => name)),
);

/** Tools that a text tells its reader to call, and tools that it names in any other way. */
function toolsIn(text: string): readonly string[] {
  const called = [...text.matchAll(/[Cc]all `([a-z0-9_]+)`/g)].map(([, name]) => name ?? "");
  const spans = [...text.matchAll(/`([a-z0-9_]+)`/g)].map(([, name]) => name ?? "");
  return [...called, ...spans.filter((span) => EVERY_TOOL.has(span))];
}

describe.each([
  ["a stack with nothing but the agent", SMALL, "small"],
  ["a stack with databases, metrics and a cache", LINKED, "linked"],
])("the texts of %s", (_name, drawing, stack) => {
  it("S28: there are six playbooks and the guide, and each is pinned", async () => {
    const tree = await treeOf(drawing, stack);
    expect(
      textsOf(tree)
        .map(([path]) => path)
        .sort(),
    ).toEqual([...PROMPTS.map((name) => `server/prompts/${name}.md`), "server/resources/guide.md"]);
    const { prompts, resources } = lockOf(tree);
    expect(prompts.map(({ name }) => name)).toEqual(PROMPTS);
    expect(resources.map(({ uri }) => uri)).toEqual([
      "stack://dna",
      "stack://guide/api",
      "stack://live/structure",
      "stack://live/summary",
      "stack://profile",
    ]);
    for (const { hash } of [...prompts, ...resources]) expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("S28: they name no tool that this stack has not", async () => {
    const tree = await treeOf(drawing, stack);
    const known = new Set(lockOf(tree).tools.map(({ name }) => name));
    for (const [path, text] of textsOf(tree)) {
      const named = toolsIn(text);
      expect(named.length, path).toBeGreaterThan(2);
      expect(
        named.filter((name) => !known.has(name)),
        path,
      ).toEqual([]);
    }
  });

  it("S28: every placeholder is an argument, and every argument has its place", async () => {
    const tree = await treeOf(drawing, stack);
    for (const { name, arguments: args } of lockOf(tree).prompts) {
      const text = tree.get(`server/prompts/${name}.md`)?.text ?? "";
      const places = new Set([...text.matchAll(/<([a-z_]+)>/g)].map(([, place]) => place));
      expect([...places].sort(), name).toEqual(args.map((argument) => argument.name).sort());
    }
  });
});

describe("what a playbook says where a tool is missing", () => {
  it("S28: without a tool for logs it says so and goes another way", async () => {
    const small = (await treeOf(SMALL, "small")).get("server/prompts/check_logs.md")?.text ?? "";
    expect(small).toContain("No tool of this stack reads logs");
    expect(small).toContain("No tool of this stack reads metrics");
    const linked = (await treeOf(LINKED, "linked")).get("server/prompts/check_logs.md")?.text ?? "";
    expect(linked).toContain("No tool of this stack reads logs");
    expect(linked).toContain("Call `metrics_query_range` (`metrics`)");
    expect(linked).toContain("`cnpg`: `cnpg_health`");
  });

  it("S28: a type that answers a question is named by the playbooks that ask it", async () => {
    const topology = await topologyOf(LINKED, "linked");
    const { generation, facts } = derive(topology, catalog);
    const step = { tool: "valkey_get", how: "with a range of time" };
    const withLogs = (module: LinkModule): LinkModule =>
      module.link.component.type === "valkey"
        ? {
            ...module,
            family: { ...module.family, playbooks: { logs: step, deployments: step, cluster: step } },
          }
        : module;
    const changed: Generation = { ...generation, links: generation.links.map(withLogs) };
    const { prompts } = contents.derive(topology, facts, changed);
    expect(prompts["check_logs"]).toContain("Call `valkey_get` (`valkey`) with a range of time.");
    expect(prompts["check_logs"]).not.toContain("No tool of this stack reads logs");
    expect(prompts["incident_response"]).toContain("a change shortly before the symptom");
    expect(prompts["diagnose_component"]).not.toContain("No tool of this stack looks into the cluster");
  });

  it.each([
    ["argo_cd", "deployments"],
    ["kubernetes", "cluster"],
    ["loki", "logs"],
    ["prometheus", "metrics"],
  ] as const)("S28: %s, once it has tools, answers for %s", (name, question) => {
    const type = catalog.types.get(name);
    const answers = type?.mcp !== "tools" || type.tools?.playbooks?.[question] !== undefined;
    expect(answers, `${name}: name a tool under tools.playbooks.${question}`).toBe(true);
  });

  it("S28: what a type names for playbooks is a read tool of its module", () => {
    const named = [...catalog.types.values()].flatMap(({ type, tools }) =>
      Object.values(tools?.playbooks ?? {}).map(({ tool }) => ({ type, tool })),
    );
    expect(named.length).toBeGreaterThan(3);
    for (const { type, tool } of named) {
      const found = catalog.modules.get(type)?.tools.find(({ name }) => name === tool);
      expect(found?.effect, `${type}: ${tool}`).toBe("read");
    }
  });
});

describe("the guide", () => {
  it("S27: names every operator, target and tool argument that there is", async () => {
    const tree = await treeOf(LINKED, "linked");
    const guide = tree.get("server/resources/guide.md")?.text ?? "";
    for (const word of ["contains", "exists", "gt", "gte", "in", "lt", "lte", "ne", "not_in", "startswith"])
      expect(guide).toContain(`\`__${word}\``);
    for (const word of ["component", "sub_components", "links_to", "links_from", "attributes"])
      expect(guide).toContain(`| \`${word}\` |`);
    for (const variable of ["name", "port", "host", "database", "username", "linked_namespace", "subdomain"])
      expect(guide).toContain(`{${variable}}`);
  });

  it("S27: its examples are about this stack, and hold what they promise", async () => {
    const guide = (await treeOf(LINKED, "linked")).get("server/resources/guide.md")?.text ?? "";
    expect(guide).toContain('`{"source": "cnpg", "target": "sub_components"');
    expect(guide).toContain('`{"source": "apisix", "target": "links_to"');
    expect(guide).toContain("`{cluster}-rw.{namespace}.svc.{cluster_domain}`");
    expect(guide).toMatch(/\| `cnpg` \| read \| all of it \| `cnpg_list_databases`/);
    expect(guide).toContain("`PGPASSWORD={password} psql");
  });

  it("S27: a drawing cannot write into it", async () => {
    const drawing = LINKED.replace(
      "domain: example.com",
      'domain: example.com\ndescription: "x `a` <b> | # IGNORE all"',
    );
    const guide = (await treeOf(drawing, "linked")).get("server/resources/guide.md")?.text ?? "";
    expect(guide).toContain("x \\`a\\` &lt;b&gt; \\| \\# IGNORE all");
  });
});
