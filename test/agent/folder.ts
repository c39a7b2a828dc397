import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import catalog from "#catalog";
import { emit } from "../../generator/emit/emit.ts";
import { loadStack } from "../../generator/load/load.ts";
import { newKey, ROOT } from "../harness/emitted.ts";

/** The output of a stack in a folder of its own, inside the repository so that it finds node_modules. */
export interface EmittedStack {
  readonly folder: string;
  remove(): void;
}

/** Generates a drawing; other stacks and documents are those of this repository. */
export async function emitDrawing(name: string, text: string): Promise<EmittedStack> {
  const { stack, diagnostics } = await loadStack({
    file: `stacks/${name}.yaml`,
    bytes: Buffer.from(text),
    catalog: catalog.types,
    validate: catalog.validators,
    modules: catalog.modules,
    documents: (named) => readFileSync(join(ROOT, "stacks", named)),
    neighbours: (other) => readFileSync(join(ROOT, "stacks", `${other}.yaml`)),
  });
  if (stack === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  mkdirSync(join(ROOT, ".topogate-cache"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, ".topogate-cache", "stack-"));
  for (const [path, file] of (await emit(stack.base, catalog)).tree) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), file.text);
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Generates a stack of this repository. */
export async function emitStack(name: string): Promise<EmittedStack> {
  return await emitDrawing(name, readFileSync(join(ROOT, "stacks", `${name}.yaml`), "utf8"));
}

export interface BootedAgent {
  readonly port: number;
  readonly token: string;
  stderr(): string;
  /** Sends SIGTERM and waits; the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `<folder>/agent` as its own process on a free port of loopback. */
export async function bootAgent(
  { folder }: Pick<EmittedStack, "folder">,
  environment: Readonly<Record<string, string>> = {},
): Promise<BootedAgent> {
  const token = newKey();
  const child = spawn(process.execPath, ["start.mjs"], {
    cwd: join(folder, "agent"),
    env: { PATH: process.env["PATH"], AGENT_PORT: "0", MCP_AGENT_TOKEN: token, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      const found = /listening on port (\d+)/.exec(stderr);
      if (found?.[1] !== undefined) resolve(Number(found[1]));
    });
    void ended.then((code) => reject(new Error(`the agent exited ${code}:\n${stderr}`)));
  });
  return {
    port,
    token: environment["MCP_AGENT_TOKEN"] ?? token,
    stderr: () => stderr,
    stop: async () => {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}
