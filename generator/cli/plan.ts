import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { compare, defaultOut, diagnose, load, orphans, render } from "../generate.ts";
import type { Emitted } from "../generate.ts";
import { originOf } from "../origin.ts";
import type { Origin } from "../origin.ts";
import type { Change, Plan } from "../tree/plan.ts";
import { today } from "./request.ts";
import { engine, report, stackFiles } from "./stacks.ts";
import { surfaceDiff } from "./surface-diff.ts";
import type { SurfaceDiff, SurfaceLock } from "./surface-diff.ts";
import { ExitCode } from "./terminal.ts";

interface Options {
  readonly out?: string;
  readonly env?: string;
  readonly json?: boolean;
  readonly detailedExitcode?: boolean;
}

const LOCK = "server/surface.lock.json";
const SIGNS = { create: "+", update: "~", delete: "-" } as const;

interface StackPlan {
  readonly folder: string;
  readonly changes: readonly (Change & Origin)[];
  readonly surface: SurfaceDiff;
  readonly conflicts: Plan["conflicts"];
  readonly unmanaged: Plan["unmanaged"];
}

function parseLock(text: string | undefined): SurfaceLock | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as SurfaceLock);
}

async function planOne(emitted: Emitted): Promise<StackPlan> {
  const plan = compare(engine, emitted);
  const origin = await originOf(engine, emitted, plan);
  const path = join(emitted.root, LOCK);
  const before = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  return {
    folder: relative(process.cwd(), emitted.root),
    changes: plan.changes.map((change) => ({ ...change, ...origin(change.path) })),
    surface: surfaceDiff(parseLock(before), parseLock(emitted.tree.get(LOCK)?.text)),
    conflicts: plan.conflicts,
    unmanaged: plan.unmanaged,
  };
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `  ${title}\n${lines.map((line) => `    ${line}\n`).join("")}`;
}

function describe({ folder, changes, surface, conflicts, unmanaged }: StackPlan): string {
  const lines = (wanted: (change: Origin) => boolean): string[] =>
    changes.filter(wanted).map(({ kind, path }) => `${SIGNS[kind]} ${path}`);
  return [
    `${folder}: ${changes.length === 0 ? "up to date" : `${changes.length} files would change`}\n`,
    section(
      "from the drawing",
      lines(({ drawing, generator }) => drawing && !generator),
    ),
    section(
      "from a newer generator",
      lines(({ drawing, generator }) => generator && !drawing),
    ),
    section(
      "from both",
      lines(({ drawing, generator }) => drawing && generator),
    ),
    section(
      "AI gains",
      surface.gains.map((item) => `+ ${item}`),
    ),
    section(
      "AI loses",
      surface.loses.map((item) => `- ${item}`),
    ),
    section(
      "in the way",
      conflicts.map(({ path, reason }) => `! ${path} (${reason})`),
    ),
    section(
      "not generated",
      unmanaged.map((path) => `? ${path}`),
    ),
  ].join("");
}

/** Shows what `generate` would do; writes nothing. */
export async function runPlan(names: readonly string[], options: Options): Promise<number> {
  const plans: StackPlan[] = [];
  let failed = false;
  for (const path of stackFiles(engine.fs, names)) {
    const { file, diagnostics, topologies } = await load(engine, path, options.env, today());
    report(diagnostics, "text");
    const [first] = topologies;
    if (first === undefined) {
      failed = true;
      continue;
    }
    const out = resolve(options.out ?? defaultOut(path));
    const gone = options.env === undefined ? orphans(engine, out, first.stack, first.environments) : [];
    const rendered: Emitted[] = [];
    for (const topology of topologies) rendered.push(await render(engine, topology, out));
    const found = await diagnose(file, rendered);
    report(found, "text");
    if (found.some(({ severity }) => severity === "error")) {
      failed = true;
      continue;
    }
    for (const emitted of rendered) plans.push(await planOne(emitted));
    for (const emitted of gone) plans.push(await planOne(emitted));
  }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ format_version: "1.0", plans }, null, 2)}\n`
      : plans.map(describe).join(""),
  );
  if (failed) return ExitCode.findings;
  const changed = plans.some(({ changes }) => changes.length > 0);
  return changed && options.detailedExitcode === true ? 2 : ExitCode.ok;
}
