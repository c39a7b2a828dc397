import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createWitness } from "./notes.ts";
import { policyOf, surfaceOf, testRegistry } from "./stack.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const TEMPLATE = join(REPOSITORY, "templates/mcp-server");

export type AdapterName = "sdk" | "fastmcp";
export const ADAPTERS: readonly AdapterName[] = ["sdk", "fastmcp"];

/** A folder as the generator emits it, with the registry of the tests. */
export interface EmittedServer {
  readonly folder: string;
  readonly start: string;
  remove(): void;
}

const REGISTRY = `import { createWitness } from "./notes.ts";
import { testRegistry } from "./stack.ts";
export const registry = testRegistry(createWitness());
`;

export function emitServer(adapter: AdapterName): EmittedServer {
  const folder = mkdtempSync(join(tmpdir(), "topogate-server-"));
  const other = adapter === "sdk" ? "fastmcp" : "sdk";
  mkdirSync(join(folder, "runtime"));
  cpSync(join(TEMPLATE, "runtime"), join(folder, "runtime"), {
    recursive: true,
    filter: (path) => !path.includes(`/adapter-${other}`),
  });
  for (const file of ["main.ts", "start.mjs"]) cpSync(join(TEMPLATE, "copy", file), join(folder, file));
  for (const file of ["notes.ts", "stack.ts"])
    cpSync(join(REPOSITORY, "test/server", file), join(folder, file));
  writeFileSync(join(folder, "registry.ts"), REGISTRY);
  const registry = testRegistry(createWitness());
  const surface = surfaceOf(registry);
  writeFileSync(join(folder, "policy.json"), JSON.stringify(policyOf(registry)));
  writeFileSync(join(folder, "surface.lock.json"), JSON.stringify({ version: 1, ...surface }));
  const imports = { "#adapter": `./runtime/protocol/adapter-${adapter}.ts`, "#runtime/*": "./runtime/*.ts" };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "emitted", type: "module", imports }));
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { folder, start: join(folder, "start.mjs"), remove };
}
