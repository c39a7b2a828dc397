import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { treeOf } from "./in-process.ts";
import type { Documents } from "./in-process.ts";

/** `principals/` of a stack as it is emitted, in a folder of its own. */
export interface Principals {
  readonly folder: string;
  text(path: string): string;
  /** Runs the commands of a link's README, as they stand there, and fails with their own words. */
  apply(link: string, environment: Readonly<Record<string, string>>): void;
  remove(): void;
}

/** The indented code blocks of a document, as one script. */
function commandsOf(markdown: string): string {
  return markdown
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => line.slice(4))
    .join("\n");
}

export async function emitPrincipals(stack: string, documents?: Documents): Promise<Principals> {
  const folder = mkdtempSync(join(tmpdir(), "topogate-principals-"));
  // What is made here may be read by a server that has given up being root.
  chmodSync(folder, 0o755);
  const tree = await treeOf(stack, "stack", documents);
  for (const [path, { text }] of tree) {
    if (!path.startsWith("principals/")) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const text = (path: string): string => tree.get(`principals/${path}`)?.text ?? "";
  return {
    folder,
    text,
    apply: (link, environment) => {
      const commands = commandsOf(text(`${link}/README.md`));
      if (commands === "") throw new Error(`the README of ${link} has no commands`);
      const run = spawnSync("bash", ["-euo", "pipefail", "-c", commands], {
        cwd: folder,
        env: { PATH: process.env["PATH"], ...environment },
        encoding: "utf8",
      });
      if (run.status !== 0) throw new Error(`${run.stdout}${run.stderr}`);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
