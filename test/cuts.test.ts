import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { toolName, toolPrefix } from "../generator/model/naming.ts";
import { ROOT, workspace } from "./harness/emitted.ts";
import { catalog } from "./harness/in-process.ts";

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  return items.reduce<readonly (readonly T[])[]>(
    (found, item) => [...found, ...found.map((set) => [...set, item])],
    [[]],
  );
}

/** Every way of drawing a link to every type: without writes, and with each set of its write tools. */
function drawings(): readonly {
  readonly name: string;
  readonly text: string;
  readonly cut: readonly string[];
}[] {
  return [...catalog.types.values()]
    .filter(({ mcp }) => mcp === "tools")
    .flatMap((type) => {
      const prefix = toolPrefix({ name: type.type }, type);
      const writes = (catalog.modules.get(type.type)?.tools ?? [])
        .filter(({ effect }) => effect !== "read")
        .map(({ name }) => toolName(name, type, prefix));
      const component =
        type.builtin === undefined
          ? `  ${type.type}: {${type.tools?.scope === undefined ? "" : `${type.tools.scope}: [one, two]`}}\n`
          : "";
      return subsets(writes).map((kept, index) => {
        const name = `${type.type.replaceAll("_", "-")}-${index}`;
        const link = kept.length === 0 ? "read" : `{access: write, tools: [${kept.join(", ")}]}`;
        const text = `apiVersion: topology/v1\nstack: ${name}\ncomponents:\n${component}  beside: {type: prometheus}\nlinks: {mcp: {beside: read, ${type.type}: ${link}}}\n`;
        return { name, text, cut: writes.filter((tool) => !kept.includes(tool)) };
      });
    });
}

describe("S8: every cut of every tool module", () => {
  const work = workspace();
  afterAll(work.remove);

  it("is a complete module: strict types, nothing unused, no trace of what was cut", () => {
    const all = drawings();
    expect(all.length).toBeGreaterThan(10);
    for (const { name, text } of all) work.draw(name, text);
    work.generate();
    for (const { name, cut } of all) {
      const type = name.replace(/-\d+$/, "").replaceAll("-", "_");
      const module = readFileSync(work.path("out", name, "server/tools", `${type}.ts`), "utf8");
      for (const tool of cut) expect(module).not.toContain(tool);
    }
    const { compilerOptions } = JSON.parse(
      readFileSync(join(ROOT, "templates/mcp-server/copy/tsconfig.json"), "utf8"),
    ) as { compilerOptions: object };
    writeFileSync(
      work.path("tsconfig.json"),
      JSON.stringify({ compilerOptions, include: ["out/*/server/tools/*.ts", "out/*/server/registry.ts"] }),
    );
    const run = spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", work.folder],
      { encoding: "utf8" },
    );
    expect(run.stdout).toBe("");
  }, 120_000);
});
