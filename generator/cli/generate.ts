import type { SealHow } from "../credentials/surroundings.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { compare, SealedMeanwhileError, write } from "../generate.ts";
import type { Engine } from "../generate.ts";
import { isUpToDate } from "../tree/plan.ts";
import type { Plan } from "../tree/plan.ts";
import {
  describeChanges,
  describeConflicts,
  describeRemoved,
  describeUnmanaged,
  summary,
} from "./describe-plan.ts";
import { cacheFolder, remember } from "./no-change.ts";
import type { Said } from "./no-change.ts";
import { prepare } from "./prepare.ts";
import type { PreparedOutput } from "./prepare.ts";
import { print } from "./print.ts";
import { currentRequest } from "./request.ts";
import { sealingOf } from "./sealing.ts";
import { engine as plainEngine, formatOf, reportOf } from "./stacks.ts";
import { ExitCode } from "./terminal.ts";
import { watchFiles } from "./watched-files.ts";

export interface GenerateOptions {
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly strict?: boolean;
  readonly out?: string;
  readonly env?: string;
  readonly format: string;
}

interface Outcome {
  readonly code: number;
  readonly said: readonly Said[];
  /** Nothing was to be done, and nothing is in the way. */
  readonly settled: boolean;
}

/** Runs that seal one output at the same time; each but the first works on what the one before it sealed. */
const MOST_AT_ONCE = 8;

interface Written {
  readonly plan: Plan;
  readonly output: PreparedOutput;
}

async function writeOutput(engine: Engine, first: PreparedOutput, force: boolean): Promise<Written> {
  let output = first;
  for (let run = 1; ; run++) {
    try {
      return { plan: write(engine, output.emitted, force), output };
    } catch (error) {
      if (!(error instanceof SealedMeanwhileError) || run === MOST_AT_ONCE) throw error;
      output = await output.again();
    }
  }
}

async function runOne(engine: Engine, prepared: PreparedOutput, options: GenerateOptions): Promise<Outcome> {
  const readOnly = options.check === true || options.dryRun === true;
  const { plan, output } = readOnly
    ? { plan: compare(engine, prepared.emitted), output: prepared }
    : await writeOutput(engine, prepared, options.force === true);
  const settled = isUpToDate(plan) && plan.unmanaged.length === 0;
  const unmanaged: Said = { stream: "stderr", text: describeUnmanaged(plan) };
  if (plan.conflicts.length > 0 && options.force !== true) {
    const said: Said[] = [unmanaged, { stream: "stderr", text: describeConflicts(plan) }];
    return { code: ExitCode.edited, said, settled };
  }
  const said: Said[] = [
    unmanaged,
    { stream: "stderr", text: describeRemoved(plan, output.removedRecipients) },
    { stream: "stdout", text: (readOnly ? describeChanges(plan) : "") + summary(plan, output.outcome) },
  ];
  return { code: options.check === true && !settled ? ExitCode.findings : ExitCode.ok, said, settled };
}

function isFailure(diagnostics: readonly Diagnostic[], strict: boolean): boolean {
  return strict ? diagnostics.length > 0 : diagnostics.some(({ severity }) => severity === "error");
}

/** Everything is loaded, rendered and sealed before the first byte of any stack is written. */
export async function runGenerate(
  names: readonly string[],
  options: GenerateOptions,
  how: SealHow = {},
): Promise<number> {
  const format = formatOf(options.format);
  const request = currentRequest();
  const files = watchFiles(plainEngine.fs);
  const engine: Engine = { ...plainEngine, fs: files.fs };
  const sealing = sealingOf(files.fs, request, how);
  const { diagnostics, outputs } = await prepare(engine, names, options, request.today, sealing);
  const reported = reportOf(diagnostics, format);
  reported.forEach(print);
  if (isFailure(diagnostics, options.strict === true)) return ExitCode.findings;
  const outcomes: Outcome[] = [];
  for (const output of outputs) {
    const outcome = await runOne(engine, output, options);
    outcome.said.forEach(print);
    outcomes.push(outcome);
  }
  const isUsual = options.force !== true && options.dryRun !== true;
  const variables = sealing.variables.seen();
  if (isUsual && variables !== undefined && files.isComplete() && outcomes.every(({ settled }) => settled)) {
    const said = [...reported, ...outcomes.flatMap((outcome) => outcome.said)].filter(
      ({ text }) => text !== "",
    );
    remember(cacheFolder(request.cwd, process.env), request, {
      seen: files.seen,
      started: files.started,
      variables,
      said,
    });
  }
  return Math.max(...outcomes.map(({ code }) => code));
}
