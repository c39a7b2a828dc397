import { SettingError } from "#runtime/settings";
import { StartError } from "#runtime/start-error";
import { readTopology } from "#runtime/stack-agent/topology-file";
import { startAgent } from "./service/agent.ts";

async function main(): Promise<void> {
  const data = readTopology(new URL("./topology.json", import.meta.url));
  const commands = new URL("./commands.json", import.meta.url);
  const agent = await startAgent({ data, commands, environment: process.env });
  const stop = (): void =>
    void agent.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  process.stderr.write(`${data.stack}: agent listening on port ${agent.port}\n`);
}

main().catch((error: unknown) => {
  const expected = error instanceof StartError || error instanceof SettingError;
  const message = expected ? error.message : String(error);
  process.stderr.write(`the stack agent cannot start: ${message}\n`);
  process.exitCode = 1;
});
