import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { treeOf } from "../../test/harness/in-process.ts";
import { tools } from "./tools.ts";

const folder = new URL("prompts/", import.meta.url);
/** What each version of a playbook was: a text that changes gets another version, and another row here. */
const WRITTEN: Readonly<Record<string, readonly [version: string, text: string]>> = {
  check_logs: ["1.0.0", "203ac9628a7d"],
  diagnose_component: ["1.0.0", "2891506f1068"],
  explain_stack: ["1.0.0", "e069afacde0c"],
  incident_response: ["1.0.0", "bea366117032"],
  run_validation: ["1.0.0", "12d3b788ac59"],
  trace_data_flow: ["1.0.0", "5faea0f78249"],
};

const drawing = (links: string): string => `apiVersion: topology/v1
stack: caches
components: {valkey: {}, postgresql: {databases: [app]}}
links: {mcp: {${links}}}
`;
interface Locked {
  readonly prompts: readonly Readonly<Record<"name" | "version" | "hash", string>>[];
}

describe("P20: playbooks are versioned", () => {
  it("a text that changed has another version", () => {
    const files = readdirSync(folder).map((name) => name.replace(".md.hbs", ""));
    const versions = new Map((tools.prompts ?? []).map(({ name, version }) => [name, version]));
    const found = files.map((name) => {
      const text = readFileSync(new URL(`${name}.md.hbs`, folder), "utf8");
      return [name, [versions.get(name), hash("sha256", text, "hex").slice(0, 12)]];
    });
    expect(Object.fromEntries(found)).toEqual(WRITTEN);
  });

  it("the hash is that of the text for one stack, and the same for the same drawing; the documents show both", async () => {
    const read = async (links: string): Promise<readonly [Locked["prompts"], string]> => {
      const tree = await treeOf(drawing(links), "caches");
      const { prompts } = JSON.parse(tree.get("server/surface.lock.json")?.text ?? "{}") as Locked;
      return [prompts, tree.get("docs/TOOLS.md")?.text ?? ""];
    };
    const [one, text] = await read("stack_agent: read, valkey: read");
    const [same] = await read("stack_agent: read, valkey: read");
    const [other] = await read("stack_agent: read, valkey: read, postgresql: read");
    expect(same).toEqual(one);
    expect(other.map(({ name, version }) => [name, version])).toEqual(
      one.map(({ name, version }) => [name, version]),
    );
    expect(other.map(({ hash: each }) => each)).not.toEqual(one.map(({ hash: each }) => each));
    for (const { name, version, hash: whole } of one)
      expect(text).toContain(`| \`${name}\` | ${version} | \`${whole.slice(0, 19)}\` |`);
  });
});
