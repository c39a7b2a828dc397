/** Drawings with a document, for the tests of this folder. */
import type { Operation } from "#runtime/fastapi/operation";
import { topologyOf } from "../../../test/harness/in-process.ts";
import { derivedTools } from "./operations.ts";

export type Json = Record<string, unknown>;

export const stack = (mcp: string, more = ""): string => `apiVersion: topology/v1
stack: stack
components: {fastapi: {openapi: api.json${more}}}
links: {mcp: {fastapi: ${mcp}}}
`;
export const document = (paths: Json, more: Json = {}): Record<string, string> => ({
  "api.json": JSON.stringify({ openapi: "3.1.0", info: { title: "t", version: "1" }, paths, ...more }),
});
export const get = (operation: Json): Json => ({ get: { responses: {}, ...operation } });
export const query = (name: string, schema: Json, more: Json = {}): Json => ({
  name,
  in: "query",
  schema,
  ...more,
});

/** The rows that a document gives, with the names of the module itself. */
export async function rowsOf(documents: Record<string, string>, mcp = "read"): Promise<readonly Operation[]> {
  const topology = await topologyOf(stack(mcp), "stack", documents);
  const [drawn] = topology.mcpLinks;
  if (drawn === undefined) throw new Error("nothing is linked");
  return derivedTools(drawn, topology, () => undefined).map(
    ({ shown, row }) => ({ name: shown.name, ...row }) as unknown as Operation,
  );
}
