import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { twentyLinks } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { interleaved, run } from "./measure.ts";
import type { Case } from "./measure.ts";
import { pick } from "./suite.ts";
import type { Outcome, Suite } from "./suite.ts";
import { contents, emptyNode, generate, ROOT, settle, stampOf, workplace } from "./workplace.ts";
import type { Workplace } from "./workplace.ts";

const ROUNDS = 21;
const WRITES = fileURLToPath(new URL("count-writes.cjs", import.meta.url));

function casesOf(program: string, fresh: Workplace, settled: Workplace): readonly Case[] {
  const remove = (path: string) => () => rmSync(path, { recursive: true, force: true });
  const node = [program, "generate"];
  return [
    emptyNode,
    {
      name: "cp -r",
      command: { other: ["cp", "-r", "out", "copy"] },
      cwd: settled.folder,
      before: remove(settled.path("copy")),
    },
    { name: "fresh", command: { node }, cwd: fresh.folder, before: remove(fresh.path("out")) },
    { name: "no change", command: { node }, cwd: settled.folder },
    { name: "no change, compared", command: { node: [...node, "--dry-run"] }, cwd: settled.folder },
  ];
}

/** Everything that a run without changes opens for writing or touches: the list must be empty. */
function writesOf(program: string, place: Workplace): readonly string[] {
  const before = contents(place.folder, stampOf);
  const ended = run(process.execPath, ["--require", WRITES, program, "generate"], place.folder);
  if (ended.status !== 0) throw new Error(`generate exited ${ended.status}:\n${ended.stderr}`);
  const touched = contents(place.folder, stampOf).filter((line, index) => line !== before[index]);
  return [...(JSON.parse(ended.told) as string[]), ...touched];
}

interface Surface {
  readonly tools: readonly { readonly link: string }[];
}

function linksWithTools(place: Workplace): number {
  const lock = JSON.parse(readFileSync(place.path("out/twenty/server/surface.lock.json"), "utf8")) as Surface;
  return new Set(lock.tools.map(({ link }) => link)).size;
}

/** Errors of the compiler over what was emitted, with the settings that were emitted. */
function typeErrors(place: Workplace): number {
  const folder = place.path("out/twenty/server");
  const ended = run(
    process.execPath,
    [join(ROOT, "node_modules/typescript/bin/tsc"), "--pretty", "false", "-p", folder],
    ROOT,
  );
  const errors = ended.stdout.split("\n").filter((line) => line.includes("error TS"));
  if (errors.length > 0) process.stderr.write(`${errors.slice(0, 10).join("\n")}\n`);
  return ended.status === 0 ? 0 : Math.max(1, errors.length);
}

async function measure(program: string): Promise<Outcome> {
  const fresh = workplace("twenty-fresh");
  const settled = workplace("twenty-settled");
  // The compiler finds the libraries only below the repository.
  const checked = workplace("twenty-checked");
  for (const place of [fresh, settled, checked]) place.draw("twenty", twentyLinks());
  generate(program, checked);
  settle(program, settled);
  const figures = interleaved(casesOf(program, fresh, settled), ROUNDS);
  const [start, copy] = [pick(figures, "node -e 0"), pick(figures, "cp -r")];
  const [full, none] = [pick(figures, "fresh"), pick(figures, "no change")];
  const files = readdirSync(settled.path("out"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  generate(program, settled);
  const goals: readonly Goal[] = [
    {
      id: "G1",
      what: "20 links, fresh, against 1.7 starts of Node and 3 copies",
      measured: full.medianMs,
      most: 1.7 * start.medianMs + 3 * copy.medianMs,
      unit: "ms",
    },
    {
      id: "G1",
      what: "20 links, fresh, memory against that of Node",
      measured: full.memoryMb / start.memoryMb,
      most: 1.5,
      unit: "times",
    },
    { id: "G1", what: "links without tools", measured: 20 - linksWithTools(checked), most: 0, unit: "links" },
    {
      id: "G2",
      what: "no change, against a start of Node",
      measured: none.medianMs / start.medianMs,
      most: 1.25,
      unit: "times",
    },
    {
      id: "G2",
      what: "no change: files opened for writing or touched",
      measured: writesOf(program, settled).length,
      most: 0,
      unit: "files",
    },
    {
      id: "G6",
      what: "20 links: errors of the compiler in what was emitted",
      measured: typeErrors(checked),
      most: 0,
      unit: "errors",
    },
  ];
  if (existsSync(settled.path("copy"))) rmSync(settled.path("copy"), { recursive: true });
  return { figures: [...figures.values()], goals, facts: { links: 20, files: files.length } };
}

export const twentyLinksSuite: Suite = {
  name: "twenty-links",
  about: "One stack with 20 links to five types, all with tools.",
  run: measure,
};
