import { describe, expect, it } from "vitest";
import { catalog, treeOf } from "./harness/in-process.ts";

interface Tool {
  readonly name: string;
  readonly link: string;
  readonly targets: readonly string[];
  readonly hash: string;
  readonly inputSchema: object;
  readonly outputSchema: object;
}

/** Everything that AI sees of the tools, and the variables of the link. */
async function surfaceOf(components: string, links: string) {
  const tree = await treeOf(`apiVersion: topology/v1
stack: stack
components: {${components}}
links: {mcp: {${links}}}
`);
  const text = tree.get("server/surface.lock.json")?.text ?? "{}";
  const { tools, flags } = JSON.parse(text) as { tools: readonly Tool[]; flags: object };
  expect(tools.length).toBeGreaterThan(0);
  return { tools, flags };
}

/** The tools of a link without what names it: its key and the prefix that follows from the type. */
function withoutNames(tools: readonly Tool[]) {
  const anonymous = { link: "", targets: [], hash: "" };
  return tools.map((tool) => ({ ...tool, ...anonymous, name: tool.name.replace(/^[^_]+_/, "") }));
}

/** Types that share a folder, two by two: `[before, after, sub-components, what stands on the link]`. */
function siblings(): readonly (readonly [string, string, string, string])[] {
  const folders = new Map<string, string[]>();
  for (const { type, mcp } of catalog.types.values()) {
    const folder = catalog.modules.get(type)?.folder;
    if (mcp === "tools" && folder !== undefined)
      folders.set(folder, (folders.get(folder) ?? []).concat(type));
  }
  return [...folders.values()].flatMap((types) =>
    types.slice(1).map((after, index) => {
      const scope = catalog.types.get(after)?.tools?.scope;
      const canWrite = catalog.modules.get(after)?.tools.some(({ effect }) => effect !== "read") ?? false;
      const link = canWrite ? "{only: {one: write, two: read}}" : "read";
      if (scope === undefined) return [types[index] ?? "", after, "", canWrite ? "write" : "read"] as const;
      return [types[index] ?? "", after, `${scope}: [one, two]`, link] as const;
    }),
  );
}

const DRAWN = siblings();

describe("T2: another type with the same protocol is a change of the drawing, not of the agent", () => {
  it.each(DRAWN)("%s to %s: a component keeps its tools to the byte", async (before, after, subs, link) => {
    const store = async (type: string) =>
      await surfaceOf(`store: {type: ${type}, ${subs}}`, `store: ${link}`);
    expect(await store(after)).toEqual(await store(before));
  });

  it.each(DRAWN)(
    "%s to %s: named like its type, nothing but that name changes",
    async (before, after, subs, link) => {
      const named = async (type: string) =>
        withoutNames((await surfaceOf(`${type}: {${subs}}`, `${type}: ${link}`)).tools);
      expect(await named(after)).toEqual(await named(before));
    },
  );

  it("siblings share the names that AI knows: s3_ and valkey_ whichever is drawn, pg_ and cnpg_ each its own", async () => {
    const namesOf = async (type: string, subs: string) =>
      (await surfaceOf(`${type}: {${subs}}`, `${type}: read`)).tools.map(({ name }) => name);
    const s3 = await namesOf("seaweedfs", "buckets: [one]");
    expect(s3).toEqual([
      "s3_bucket_stats",
      "s3_get_object",
      "s3_list_buckets",
      "s3_list_objects",
      "s3_read_text",
    ]);
    expect(await namesOf("minio", "buckets: [one]")).toEqual(s3);
    expect(await namesOf("s3", "buckets: [one]")).toEqual(s3);
    expect(await namesOf("redis", "")).toEqual(await namesOf("valkey", ""));
    const pg = await namesOf("postgresql", "databases: [one]");
    expect(await namesOf("cnpg", "databases: [one]")).toEqual(
      pg.map((name) => name.replace(/^pg_/, "cnpg_")),
    );
  });

  it("another Prometheus: elsewhere, with TLS, behind a path, outside of the cluster", async () => {
    const drawn = async (attributes: string) =>
      await surfaceOf(`prometheus: {${attributes}}`, "prometheus: read");
    const first = await drawn("namespace: monitoring");
    for (const other of [
      "namespace: sre, port: 9999",
      "scheme: https, path: /team",
      "host: metrics.example.com, cidr: 192.0.2.1/32",
    ])
      expect(await drawn(other), other).toEqual(first);
  });

  it("the siblings that the sources promise are among them", () => {
    expect(DRAWN.flatMap(([before, after]) => [before, after])).toEqual(
      expect.arrayContaining(["minio", "s3", "seaweedfs", "cnpg", "postgresql", "redis", "valkey"]),
    );
  });
});
