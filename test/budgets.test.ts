import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tool } from "@modelcontextprotocol/sdk/types.js";
import { MAX_LISTED_BYTES } from "../generator/catalog/contract.ts";
import { toolName, toolPrefix } from "../generator/model/naming.ts";
import { bootServer, connectClient, workspace } from "./harness/emitted.ts";
import { catalog } from "./harness/in-process.ts";

const MAX_READS = 8;
/** More read tools than `MAX_READS`, and why. */
const EXCEPTIONS: Readonly<Record<string, readonly [reads: number, why: string]>> = {
  kubernetes: [11, "the cluster's own names, of which three are those that people know from elsewhere"],
};

/** How tools call the size of a page. */
const SIZES = ["limit", "count", "size"];
/** Lists without pages of a chosen size, and why. */
const DRAWN = "as long as the drawing's own list";
const WHOLE_LISTS: Readonly<Record<string, string>> = {
  ch_list_databases: DRAWN,
  cnpg_list_databases: DRAWN,
  mysql_list_databases: DRAWN,
  pg_list_databases: DRAWN,
  grafana_get_dashboard: "parts of one dashboard, each page as many as fit",
};

const types = [...catalog.types.values()].filter(({ mcp }) => mcp === "tools");
const moduleOf = (type: string) => catalog.modules.get(type)!;
const canWrite = (type: string): boolean => moduleOf(type).tools.some(({ effect }) => effect !== "read");

/** One type for each tool module and prefix: siblings have the same tools, and cannot be drawn beside each other. */
const distinct = types.filter((type, at) => {
  const key = (each: (typeof types)[number]): string =>
    `${moduleOf(each.type).from} ${toolPrefix({ name: each.type }, each)}`;
  return types.findIndex((each) => key(each) === key(type)) === at;
});

/** The second of two modules with one prefix is drawn under a name of its own. */
function componentOf(type: (typeof types)[number]): string {
  const prefixOf = (each: (typeof types)[number]): string => toolPrefix({ name: each.type }, each);
  const [first] = distinct.filter((each) => prefixOf(each) === prefixOf(type));
  return first === type ? type.type : `a_${type.type}`;
}

function drawing(stack: string, word: "read" | "write"): string {
  const components = distinct
    .filter(({ builtin }) => builtin === undefined)
    .map((each) => {
      const { type, tools, podLabels } = each;
      const isPod = Object.keys(podLabels ?? { any: "pod" }).length > 0;
      const place = isPod ? [] : ["cidr: 192.0.2.1/32"];
      const scope = tools?.scope === undefined ? [] : [`${tools.scope}: [orders, payments]`];
      return `  ${componentOf(each)}: {${[`type: ${type}`, "namespace: there", ...place, ...scope].join(", ")}}`;
    });
  const links = distinct.map((each) => `${componentOf(each)}: ${canWrite(each.type) ? word : "read"}`);
  return `apiVersion: topology/v1\nstack: ${stack}\ncomponents:\n${components.join("\n")}\nlinks: {mcp: {${links.join(", ")}}}\n`;
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe("what a client reads before it calls anything", () => {
  const work = workspace();
  const lists = new Map<string, readonly Tool[]>();

  beforeAll(async () => {
    for (const word of ["read", "write"] as const) work.draw(word, drawing(word, word));
    work.generate();
    for (const word of ["read", "write"]) {
      const folder = work.path("out", word);
      const { flags } = JSON.parse(readFileSync(`${folder}/server/surface.lock.json`, "utf8")) as {
        flags: Record<string, boolean>;
      };
      const server = await bootServer(
        folder,
        Object.fromEntries(Object.entries(flags).map(([flag, on]) => [flag, String(on)])),
      );
      try {
        const client = await connectClient(server);
        lists.set(word, (await client.listTools()).tools);
        await client.close();
      } finally {
        await server.stop();
      }
    }
  }, 120_000);
  afterAll(() => work.remove());

  it("P7: every tool of every type is in the list that is measured", () => {
    const names = distinct.flatMap((type) =>
      moduleOf(type.type).tools.map(({ name }) =>
        toolName(name, type, toolPrefix({ name: componentOf(type) }, type)),
      ),
    );
    expect(
      lists
        .get("write")
        ?.map(({ name }) => name)
        .sort(),
    ).toEqual(names.sort());
  });

  it(`P7: a tool takes at most ${MAX_LISTED_BYTES} bytes of the list`, () => {
    const large = (lists.get("write") ?? []).filter((tool) => bytesOf(tool) > MAX_LISTED_BYTES);
    expect(large.map((tool) => `${tool.name} ${bytesOf(tool)}`)).toEqual([]);
  });

  /** As much as a list of as many average links takes. */
  const listOf = (word: string, links: number): number =>
    (bytesOf(lists.get(word) ?? []) / distinct.length) * links;

  it.each([
    ["read", 88_000],
    ["write", 110_000],
  ])("P7: a list of 20 links drawn for %s does not grow past %i bytes", (word, most) => {
    expect(listOf(word, 20)).toBeGreaterThan(0);
    expect(listOf(word, 20)).toBeLessThanOrEqual(most);
  });

  it("P7: what tools carry besides their parameters takes more than 40 KB of a list of 20 links", () => {
    const withoutParameters = (lists.get("read") ?? []).map((tool) => ({ ...tool, inputSchema: undefined }));
    expect((bytesOf(withoutParameters) / distinct.length) * 20).toBeGreaterThan(40 * 1024);
  });

  /** Decision 20: what every tool carries is more than 40 KB by itself. */
  it.fails("P7: not reached: a list of 20 links takes at most 40 KB", () => {
    expect(listOf("read", 20)).toBeLessThanOrEqual(40 * 1024);
  });

  it("every list can be continued, in pages of a size that the caller chooses", () => {
    const lacking = (lists.get("write") ?? []).filter(({ name, inputSchema: { properties = {} } }) => {
      const isList = /(^|_)list_/.test(name) || "cursor" in properties;
      return isList && !("cursor" in properties && SIZES.some((size) => size in properties));
    });
    expect(lacking.map(({ name }) => name).sort()).toEqual(Object.keys(WHOLE_LISTS).sort());
  });
});

describe("each type", () => {
  it.each(types.map(({ type }) => type))("P7: %s has few read tools", (type) => {
    const reads = moduleOf(type).tools.filter(({ effect }) => effect === "read").length;
    const [expected] = EXCEPTIONS[type] ?? [];
    if (expected === undefined) expect(reads).toBeLessThanOrEqual(MAX_READS);
    else expect(reads).toBe(expected);
  });
});
