import { Console } from "node:console";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createAdapter } from "#adapter";
import { demandBundle } from "#runtime/bundle";
import { startServer } from "#runtime/server";
import { SettingError } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import { parseSurface } from "#runtime/surface/surface";
import { registry } from "./registry.ts";

const transport = process.argv.includes("--stdio") ? "stdio" : "http";

// What a library prints must not stand between the messages of the protocol.
if (transport === "stdio") globalThis.console = new Console(process.stderr);

/** Beside the folder, or in it where it stands alone. */
function policyFile(): string {
  const [beside = "", within = ""] = ["../governance/policy.json", "./policy.json"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return existsSync(beside) ? beside : within;
}

async function main(): Promise<void> {
  demandBundle(import.meta.dirname, registry, process.env);
  const surface = parseSurface(readFileSync(new URL("./surface.lock.json", import.meta.url), "utf8"));
  const server = await startServer({
    registry,
    surface,
    policyFile: policyFile(),
    environment: process.env,
    adapter: createAdapter,
    transport,
  });
  const stop = (): void =>
    void server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (server.port !== null) process.stderr.write(`${registry.stack}: listening on port ${server.port}\n`);
  if (server.approvalsPort !== null)
    process.stderr.write(`${registry.stack}: approvals on port ${server.approvalsPort}\n`);
  void server.ended.then(stop);
}

main().catch((error: unknown) => {
  const expected = error instanceof StartError || error instanceof SettingError;
  process.stderr.write(`${registry.stack}: cannot start: ${expected ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
