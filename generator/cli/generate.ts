import { relative, resolve } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { compare, defaultOut, diagnose, load, orphans, render, write } from "../generate.ts";
import type { Emitted, Engine } from "../generate.ts";
import { isUpToDate } from "../tree/plan.ts";
import type { Plan } from "../tree/plan.ts";
import { cacheFolder, remember } from "./no-change.ts";
import type { Said } from "./no-change.ts";
import { print } from "./print.ts";
import { currentRequest } from "./request.ts";
import { engine as plainEngine, formatOf, reportOf, stackFiles } from "./stacks.ts";
import { ExitCode } from "./terminal.ts";
import { watchFiles } from "./watched-files.ts";

interface Options {
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly out?: string;
  readonly env?: string;
  readonly format: string;
}

const SIGNS = { create: "+", update: "~", delete: "-" } as const;

function shown(root: string): string {
  return relative(process.cwd(), root) || ".";
}

function describeChanges(plan: Plan): string {
  return plan.changes.map(({ kind, path }) => `${SIGNS[kind]} ${shown(plan.root)}/${path}\n`).join("");
}

function describeConflicts(plan: Plan): string {
  return plan.conflicts
    .map(({ path, reason }) =>
      reason === "edited"
        ? `edited-generated-file: ${shown(plan.root)}/${path} was changed by hand; move the change into the drawing, or generate --force\n`
        : `foreign-file: ${shown(plan.root)}/${path} stands where a generated file goes; move it away, or generate --force\n`,
    )
    .join("");
}

function describeUnmanaged(plan: Plan): string {
  return plan.unmanaged
    .map(
      (path) =>
        `unmanaged-file: ${shown(plan.root)}/${path} was not generated: it is kept, but never imported or packed\n`,
    )
    .join("");
}

function summary(plan: Plan): string {
  const count = (kind: string): number => plan.changes.filter((change) => change.kind === kind).length;
  const written = count("create") + count("update");
  return `${shown(plan.root)}: generated ${written}, unchanged ${plan.unchanged}, deleted ${count("delete")}\n`;
}

interface Outcome {
  readonly code: number;
  readonly said: readonly Said[];
  /** Nothing was to be done, and nothing is in the way. */
  readonly settled: boolean;
}

function runOne(engine: Engine, emitted: Emitted, options: Options): Outcome {
  const readOnly = options.check === true || options.dryRun === true;
  const plan = readOnly ? compare(engine, emitted) : write(engine, emitted, options.force === true);
  const settled = isUpToDate(plan) && plan.unmanaged.length === 0;
  const unmanaged: Said = { stream: "stderr", text: describeUnmanaged(plan) };
  if (plan.conflicts.length > 0 && options.force !== true) {
    const said: Said[] = [unmanaged, { stream: "stderr", text: describeConflicts(plan) }];
    return { code: ExitCode.edited, said, settled };
  }
  const said: Said[] = [
    unmanaged,
    { stream: "stdout", text: (readOnly ? describeChanges(plan) : "") + summary(plan) },
  ];
  return { code: options.check === true && !settled ? ExitCode.findings : ExitCode.ok, said, settled };
}

interface Rendered {
  readonly diagnostics: readonly Diagnostic[];
  readonly emitted: readonly Emitted[];
}

/** Everything is loaded and rendered before the first byte of any stack is written. */
async function renderAll(
  engine: Engine,
  names: readonly string[],
  options: Options,
  today: string,
): Promise<Rendered> {
  const diagnostics: Diagnostic[] = [];
  const emitted: Emitted[] = [];
  for (const path of stackFiles(engine.fs, names)) {
    const loaded = await load(engine, path, options.env, today);
    const out = resolve(options.out ?? defaultOut(path));
    diagnostics.push(...loaded.diagnostics);
    const [first] = loaded.topologies;
    if (first === undefined) continue;
    const rendered: Emitted[] = [];
    for (const topology of loaded.topologies) rendered.push(await render(engine, topology, out));
    diagnostics.push(...(await diagnose(loaded.file, rendered)));
    emitted.push(...rendered);
    if (options.env === undefined) emitted.push(...orphans(engine, out, first.stack, first.environments));
  }
  return { diagnostics, emitted };
}

export async function runGenerate(names: readonly string[], options: Options): Promise<number> {
  const format = formatOf(options.format);
  const request = currentRequest();
  const files = watchFiles(plainEngine.fs);
  const engine: Engine = { ...plainEngine, fs: files.fs };
  const { diagnostics, emitted } = await renderAll(engine, names, options, request.today);
  const reported = reportOf(diagnostics, format);
  reported.forEach(print);
  if (diagnostics.some(({ severity }) => severity === "error")) return ExitCode.findings;
  const outcomes = emitted.map((each) => {
    const outcome = runOne(engine, each, options);
    outcome.said.forEach(print);
    return outcome;
  });
  const isUsual = options.force !== true && options.dryRun !== true;
  if (isUsual && files.isComplete() && outcomes.every(({ settled }) => settled)) {
    const said = [...reported, ...outcomes.flatMap((outcome) => outcome.said)].filter(
      ({ text }) => text !== "",
    );
    remember(cacheFolder(request.cwd, process.env), request, {
      seen: files.seen,
      started: files.started,
      said,
    });
  }
  return Math.max(...outcomes.map(({ code }) => code));
}
