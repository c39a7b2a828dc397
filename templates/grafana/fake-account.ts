import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { emitPrincipals } from "../../test/harness/principals.ts";
import type { Principals } from "../../test/harness/principals.ts";

const run = promisify(execFile);

export const stackOf = (port: number, word: string): string => `apiVersion: topology/v1
stack: stack
components: {grafana: {host: 127.0.0.1, port: ${port}}}
links: {mcp: {grafana: ${word}}}
`;

export interface Account {
  readonly emitted: Principals;
  readonly file: string;
  readonly token: string;
}

/** Runs the commands of the emitted README as an administrator; they leave a token in a file. */
export async function makeAccount(stack: string, password: string): Promise<Account> {
  const emitted = await emitPrincipals(stack);
  const lines = emitted
    .text("grafana/README.md")
    .split("\n")
    .filter((line) => line.startsWith("    "));
  // Not by a call that waits: the fake answers in this process.
  await run("bash", ["-euo", "pipefail", "-c", lines.join("\n")], {
    cwd: emitted.folder,
    env: { PATH: process.env["PATH"], GRAFANA_ADMIN_PASSWORD: password },
    timeout: 20_000,
  });
  const file = join(emitted.folder, "mcp_grafana.token");
  return { emitted, file, token: readFileSync(file, "utf8").trim() };
}
