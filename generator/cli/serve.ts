import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readSource } from "../load/source.ts";
import { openedCredentials } from "./opened-credentials.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface ServeOptions {
  readonly out: string;
  readonly port: string;
  readonly stdio?: boolean;
}

/** The variables of the emitted ConfigMap: in the cluster the pod gets them, here the child process does. */
async function configOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const path = join(folder, "k8s", "configmap.yaml");
  if (!existsSync(path)) return {};
  const read = await readSource(path, readFileSync(path));
  if (!read.ok) throw new UsageError(`${path} cannot be read: generate the stack again`);
  return (read.source.value as { data?: Record<string, string> }).data ?? {};
}

/** Services of the stack itself that a server outside of the cluster goes without: it does their work itself. */
const ALONE = { MCP_AGENT_URL: "", MCP_REPLICA_STATE: "alone" };

/**
 * Starts the emitted server as its own process and lives as long as it does. Variables that are set here win
 * over those of the ConfigMap and the sealed credentials, so a service on loopback can stand in for the one in
 * the cluster.
 */
export async function runServe(stack: string, options: ServeOptions): Promise<number> {
  const folder = resolve(options.out, stack);
  const server = join(folder, "server");
  if (!existsSync(join(server, "main.ts")))
    throw new UsageError(`no server in ${options.out}/${stack}: run topogate generate ${stack}`);
  if (!/^\d{1,5}$/.test(options.port)) throw new UsageError(`--port must be a number, not "${options.port}"`);
  const child = spawn(process.execPath, ["start.mjs", ...(options.stdio === true ? ["--stdio"] : [])], {
    cwd: server,
    env: {
      ...(await configOf(folder)),
      ...(await openedCredentials(folder)),
      ...ALONE,
      MCP_PORT: options.port,
      ...process.env,
    },
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return await new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => done(code ?? ExitCode.findings));
  });
}
