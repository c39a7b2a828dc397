import { jsonText } from "../../generator/emit/json-text.ts";
import type { Generation, Topology } from "#hook";
import { expect, it } from "vitest";
import { SHOP } from "../../test/harness/shop-data.ts";
import output from "./output.ts";

/** All that the output reads of a generation: which types are linked. */
function filesFor(...types: readonly string[]): ReturnType<typeof output.files> {
  const links = types.map((type) => ({ link: { component: { type } } }));
  const generation = { links } as unknown as Generation;
  return output.files({} as Topology, { "topology-metadata": SHOP, commands: { links: [] } }, generation);
}

it("S1: without a link to the stack agent there is neither topology.json nor commands.json", () => {
  expect(filesFor("valkey")).toEqual([]);
});

it("S21: topology.json holds the facts, one component or link a line", () => {
  const [file, ...others] = filesFor("stack_agent", "valkey");
  expect(others).toMatchObject([{ kind: "data", path: "server/commands.json", json: { links: [] } }]);
  expect(file).toMatchObject({ kind: "data", path: "server/topology.json" });
  const text = file?.kind === "data" && "json" in file ? jsonText(file.json, file.layout) : "";
  expect(JSON.parse(text)).toEqual(SHOP);
  expect(text.split("\n").filter((line) => line.startsWith('{"id":"fastapi->'))).toHaveLength(7);
});
