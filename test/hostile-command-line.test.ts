import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { topogate, workspace } from "./harness/emitted.ts";

const GOOD =
  "apiVersion: topology/v1\nstack: stack\ncomponents: {valkey: }\nlinks: {mcp: {stack_agent: read, valkey: read}}\n";

/** What a pull request could put into a stack file; none may do more than end in a diagnostic. */
const HOSTILE: Readonly<Record<string, string | Buffer>> = {
  "an empty file": "",
  "a NUL": "stack: a\u0000b\n",
  "bytes that are no UTF-8": Buffer.from([0x73, 0x3a, 0x20, 0xff, 0xfe]),
  "a tag": GOOD.replace("stack: stack", "stack: !!js/function stack"),
  "an alias": "a: &a [x]\nb: *a\n",
  "billion laughs": `a: &a [x]\n${Array.from({ length: 20 }, (_, i) => `b${i}: &b${i} [${i === 0 ? "*a" : `*b${i - 1}`}, *a]\n`).join("")}`,
  "a duplicate key": `${GOOD}stack: other\n`,
  "a prototype key": GOOD.replace("{valkey: }", "{__proto__: {type: valkey}}"),
  "a merge key": GOOD.replace("{valkey: }", "{valkey: {<<: {port: 1}}}"),
  "a number that loses digits": GOOD.replace("{valkey: }", "{valkey: {port: 12345678901234567890}}"),
  "text that reverses": GOOD.replace("stack: stack", "stack: stack\ndescription: \u202etxet"),
  "10 000 levels": `a: ${"[".repeat(10_000)}${"]".repeat(10_000)}\n`,
  "two documents": `${GOOD}---\n${GOOD}`,
  "a secret": GOOD.replace("{valkey: }", "{valkey: {password: hunter2hunter2}}"),
  "a path as a name": GOOD.replaceAll("valkey", "../../etc/passwd"),
  "code in a name": GOOD.replaceAll("valkey", '"; process.exit(0); //'),
};

describe("hostile stack files end in a diagnostic", () => {
  const work = workspace();
  let before: readonly string[];
  const snapshot = (): readonly string[] =>
    readdirSync(work.path("out"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => `${path} ${readFileSync(path, "utf8")}`);

  beforeAll(() => {
    work.draw("stack", GOOD);
    work.generate();
    before = snapshot();
  });
  afterAll(work.remove);

  it.each(Object.keys(HOSTILE))("%s", (name) => {
    writeFileSync(work.path("stacks/stack.yaml"), HOSTILE[name] ?? "");
    const run = topogate(["generate"], { cwd: work.folder });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^stacks\/stack\.yaml:\d+:\d+: error E-[A-Z-]+/m);
    expect(run.stderr).not.toMatch(/^\s+at |internal error|hunter2/m);
    expect(snapshot()).toEqual(before);
  });
});
