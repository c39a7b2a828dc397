import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = new URL("..", import.meta.url).pathname;
const OXLINT = join(ROOT, "node_modules/.bin/oxlint");

/** Lints files that stand in the places of this project's own, so a rule that sees nothing is noticed. */
function lint(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "topogate-boundaries-"));
  try {
    cpSync(join(ROOT, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return spawnSync(OXLINT, ["--format", "default", "."], { cwd: folder, encoding: "utf8" }).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const VIOLATIONS: readonly (readonly [string, string, RegExp])[] = [
  [
    "generator/emit/x.ts",
    'import a from "../../templates/valkey/component.ts";\nexport const b = a;\n',
    /never a component type/,
  ],
  [
    "generator/cli/x.ts",
    'import a from "../../hooks/egress.ts";\nexport const b = a;\n',
    /never a component type/,
  ],
  [
    "generator/load/x.ts",
    'import { readFileSync } from "node:fs";\nexport const b = readFileSync;\n',
    /real file system/,
  ],
  [
    "generator/emit/y.ts",
    'import { Project } from "ts-morph";\nexport const b = Project;\n',
    /must not load a compiler/,
  ],
  ["generator/model/x.ts", 'import { a } from "../emit/a.ts";\nexport const b = a;\n', /plain data/],
  ["generator/tree/x.ts", 'import { a } from "../model/a.ts";\nexport const b = a;\n', /not drawings/],
  [
    "templates/valkey/x.ts",
    'import { a } from "../../generator/emit/a.ts";\nexport const b = a;\n',
    /through #contract/,
  ],
  [
    "templates/valkey/y.ts",
    'import { a } from "../kafka/tools.ts";\nexport const b = a;\n',
    /reaches into another/,
  ],
  [
    "templates/mcp-server/runtime/x.ts",
    'import { a } from "../output.ts";\nexport const b = a;\n',
    /copied into every output/,
  ],
  ["hooks/x.ts", 'import { a } from "../generator/emit/a.ts";\nexport const b = a;\n', /through #hook only/],
];

describe("boundaries", () => {
  it.each(VIOLATIONS)("%s is refused for crossing one", (path, text, reason) => {
    expect(lint({ [path]: text })).toMatch(reason);
  });

  it("finds no fault where there is none", () => {
    expect(
      lint({ "generator/emit/x.ts": "export const a = 1;\n", "hooks/y.ts": "export const b = 2;\n" }),
    ).toContain("0 errors");
  });

  it("the linter sees this project's files", () => {
    const run = spawnSync(OXLINT, ["generator", "hooks", "templates"], { cwd: ROOT, encoding: "utf8" });
    const files = /on (\d+) files/.exec(run.stdout)?.[1];
    expect(Number(files)).toBeGreaterThan(100);
  });
});

describe("the runtime of emitted servers", () => {
  const RUNTIME = join(ROOT, "templates/mcp-server/runtime");
  const folders = readdirSync(RUNTIME, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  /** Folders of which files in this one import any, types too. */
  const importedBy = (folder: string): readonly string[] => {
    const texts = readdirSync(join(RUNTIME, folder)).map((file) =>
      readFileSync(join(RUNTIME, folder, file), "utf8"),
    );
    const names = texts.flatMap((text) =>
      [...text.matchAll(/from "#runtime\/([^/"]+)\//g)].map(([, name]) => name ?? ""),
    );
    return [...new Set(names)].filter((name) => name !== folder);
  };

  it("its folders import each other in one direction only", () => {
    const left = new Map(folders.map((folder) => [folder, importedBy(folder)]));
    expect([...left.values()].flat().length).toBeGreaterThan(20);
    for (;;) {
      const next = [...left].find(([, imported]) => imported.every((name) => !left.has(name)));
      if (next === undefined) break;
      left.delete(next[0]);
    }
    expect([...left]).toEqual([]);
  });

  it("no folder has the name of a component type's, which is copied beside it", () => {
    const types = readdirSync(join(ROOT, "templates"));
    expect(folders.filter((folder) => types.includes(folder))).toEqual([]);
  });
});

describe("the engine", () => {
  const sources = (folder: string): readonly string[] =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).filter(
      (path) => path.endsWith(".ts") && !path.includes(".test."),
    );

  it("S3: neither clock, randomness nor locale reaches what is emitted", () => {
    const forbidden = /new Date|Date\.now|Math\.random|randomUUID|randomBytes|localeCompare|toLocale|Intl\./;
    const folders = [
      "generator/load",
      "generator/model",
      "generator/hook",
      "generator/emit",
      "generator/tree",
      "generator/catalog",
      "hooks",
    ];
    const files = folders.flatMap((folder) => sources(folder).map((path) => join(folder, path)));
    expect(files.length).toBeGreaterThan(30);
    expect(files.filter((path) => forbidden.test(readFileSync(join(ROOT, path), "utf8")))).toEqual([]);
  });

  it("sealing draws random numbers and asks for the time in the one place that a test can replace", () => {
    const source = /randomBytes\b.*from "node:crypto"|generateKeyPair|Math\.random|Date\.now|new Date\(\)/s;
    const files = sources("generator/seal").filter((path) => {
      const text = readFileSync(join(ROOT, "generator/seal", path), "utf8");
      return text.split(";").some((statement) => source.test(statement));
    });
    expect(files.filter((path) => !path.startsWith("live"))).toEqual([
      "age-x25519.ts",
      "system-randomness.ts",
    ]);
  });

  it("only the command line prints or reads the environment", () => {
    const folders = [
      "generator/load",
      "generator/model",
      "generator/hook",
      "generator/emit",
      "generator/tree",
      "generator/catalog",
      "generator/diagnostics",
      "generator/seal",
      "hooks",
    ];
    const files = folders
      .flatMap((folder) => sources(folder).map((path) => join(folder, path)))
      .filter((path) => !path.endsWith("/live.ts"));
    expect(
      files.filter((path) => /process\.(env|stdout|stderr)/.test(readFileSync(join(ROOT, path), "utf8"))),
    ).toEqual([]);
  });
});
