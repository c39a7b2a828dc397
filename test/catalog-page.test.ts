import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { catalog } from "./harness/in-process.ts";
import { ROOT, topogate } from "./harness/emitted.ts";

const page = readFileSync(join(ROOT, "docs/catalog.md"), "utf8");
const types = [...catalog.types.values()];
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .flatMap((text) => {
      const [title = ""] = text.split("\n", 1);
      return title.split(", ").map((type) => [type, text] as const);
    }),
);

describe("docs/catalog.md", () => {
  it("is what `topogate catalog --markdown` prints", () => {
    expect(topogate(["catalog", "--markdown"]).stdout).toBe(page);
  });

  it("has a section for each type with tools, and a row for each that is only drawn", () => {
    expect(types.length).toBeGreaterThan(30);
    for (const { type, mcp } of types) {
      if (mcp === "tools") expect([...sections.keys()]).toContain(type);
      else expect(sections.get("Types that are only drawn")).toContain(`| \`${type}\` |`);
    }
  });

  it.each(types.filter(({ mcp }) => mcp === "tools").map((type) => [type.type, type] as const))(
    "%s: every tool with its parameters, and the servers that it was tried on",
    (name, { testedOn = [] }) => {
      const section = sections.get(name) ?? "";
      const { tools } = catalog.modules.get(name)!;
      expect(section.match(/^### /gm)).toHaveLength(tools.length);
      for (const { inputSchema } of tools)
        for (const parameter of Object.keys((inputSchema as { properties: object }).properties))
          expect(section).toContain(`| \`${parameter}\` |`);
      for (const server of testedOn) expect(section).toContain(server);
      expect(section).toMatch(/^- account: \S/m);
      expect(section).not.toMatch(/[\u0001\u0002]|undefined|\[object/);
    },
  );

  it("calls a fake a fake", () => {
    for (const type of ["grafana", "tempo"]) expect(sections.get(type)).toMatch(/tested on: .*fake/);
  });
});
