import { bind, demandLinked } from "./bind.ts";
import type { Surroundings } from "./bind.ts";
import { runBuiltin } from "./builtin.ts";
import { expand } from "./expand.ts";
import { MAX_OUTPUT, conceal } from "./output.ts";
import type { Prepared, Vocabulary } from "./prepare.ts";
import type { Programs } from "./programs.ts";
import { CommandRefused } from "./refused.ts";
import type { ParsedCommand, ParsedStatement, ParsedStep } from "./script.ts";

/** All that a command needs beside its text: where it leads, with which values, on what. */
export interface RunContext extends Surroundings {
  readonly vocabulary: Omit<Vocabulary, "capture">;
  readonly programs: Programs;
  /** Throws a CommandRefused when the write tool that a command stands for may not run for the place. */
  demandWrite(tool: string, prepared: Prepared): void;
  /** Lets a function of the type's folder judge a text; rejects with a ToolFault. */
  demandQuery(guard: string, text: string, prepared: Prepared): Promise<void>;
  /** For the whole command. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** Output was left out. */
  readonly truncated: boolean;
  readonly durationMs: number;
  /** Outputs that were kept by name, for a command that prints nothing itself. */
  readonly captures: Readonly<Record<string, string>>;
}

const TIMED_OUT = 124;
const MAX_CAPTURE = 4096;

/** How far one command has come. */
interface Progress {
  readonly context: RunContext;
  readonly captures: Map<string, string>;
  readonly prepared: ReadonlyMap<ParsedStep, Prepared>;
  readonly started: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  truncated: boolean;
}

function vocabularyOf(context: RunContext, captures: ReadonlyMap<string, string>): Vocabulary {
  return { ...context.vocabulary, capture: (name) => captures.get(name) ?? "" };
}

type ProgramStep = Extract<ParsedStep, { is: "program" }>;

function usesCapture(step: ProgramStep): boolean {
  return step.readings.some(({ operands, options, environment }) =>
    [...operands, ...options, ...environment].some(({ word }) =>
      word?.parts.some(({ is }) => is === "capture"),
    ),
  );
}

/** Made ready and judged; whether the program is there is another question. */
async function judged(
  step: ProgramStep,
  context: RunContext,
  captures: ReadonlyMap<string, string>,
): Promise<Prepared> {
  const prepared = bind(step, context, vocabularyOf(context, captures));
  if (prepared.tool !== null) context.demandWrite(prepared.tool, prepared);
  for (const { guard, text } of prepared.queries) await context.demandQuery(guard, text, prepared);
  return prepared;
}

async function ready(
  step: ProgramStep,
  context: RunContext,
  captures: ReadonlyMap<string, string>,
): Promise<Prepared> {
  const prepared = await judged(step, context, captures);
  await context.programs.demand(prepared.name);
  return prepared;
}

/** Rejects with the CommandRefused that a run would meet before its first process; nothing is started. */
export async function demandRunnable(command: ParsedCommand, context: RunContext): Promise<void> {
  demandLinked(context);
  for (const step of command.statements.flatMap(({ pipeline }) => pipeline)) {
    if (step.is === "builtin") demandValues(step, context);
    else if (!usesCapture(step)) await judged(step, context, new Map());
  }
}

/** Every program of the command, before the first is started; one that uses an earlier output has to wait. */
async function prepareAll(
  command: ParsedCommand,
  context: RunContext,
): Promise<ReadonlyMap<ParsedStep, Prepared>> {
  demandLinked(context);
  const found = new Map<ParsedStep, Prepared>();
  for (const step of command.statements.flatMap(({ pipeline }) => pipeline)) {
    if (step.is === "builtin") demandValues(step, context);
    else if (!usesCapture(step)) found.set(step, await ready(step, context, new Map()));
  }
  return found;
}

/** The words of our own commands have no rules, so that a secret or an unknown variable is found here. */
function demandValues(step: Extract<ParsedStep, { is: "builtin" }>, context: RunContext): void {
  step.words.forEach((word) => expand(word, vocabularyOf(context, new Map())));
}

interface Piped {
  readonly exitCode: number;
  readonly stdout: string;
  readonly cut: boolean;
}

async function runProgram(step: ProgramStep, progress: Progress): Promise<Piped> {
  const { context } = progress;
  const prepared = progress.prepared.get(step) ?? (await ready(step, context, progress.captures));
  const result = await context.programs.run(prepared, progress.started + context.timeoutMs, context.signal);
  progress.stderr += result.stderr;
  progress.timedOut ||= result.timedOut;
  progress.truncated ||= result.cut;
  return { exitCode: result.exitCode, stdout: conceal(result.stdout, prepared.conceals), cut: result.cut };
}

async function runPipeline(statement: ParsedStatement, progress: Progress): Promise<Piped> {
  const values = vocabularyOf(progress.context, progress.captures);
  let piped: Piped = { exitCode: 0, stdout: "", cut: false };
  for (const step of statement.pipeline) {
    if (step.is === "program") piped = await runProgram(step, progress);
    else if (piped.cut) {
      progress.stderr += `${step.name}: its input was too long to be read whole\n`;
      return { exitCode: 2, stdout: "", cut: true };
    } else {
      const words = step.words.map((word) => expand(word, values));
      piped = { ...runBuiltin(step, words, piped.stdout), cut: false };
    }
    if (progress.timedOut) return piped;
  }
  return piped;
}

function isDue(after: ParsedStatement["after"], exitCode: number): boolean {
  if (after === "&&") return exitCode === 0;
  return after === ";" || exitCode !== 0;
}

async function runAll(command: ParsedCommand, progress: Progress): Promise<number> {
  let exitCode = 0;
  for (const statement of command.statements) {
    if (!isDue(statement.after, exitCode)) continue;
    const piped = await runPipeline(statement, progress);
    exitCode = piped.exitCode;
    if (statement.capture === null) progress.stdout += piped.stdout;
    else progress.captures.set(statement.capture, piped.stdout.trimEnd().slice(0, MAX_CAPTURE));
    progress.timedOut ||= progress.context.signal.aborted;
    if (progress.timedOut) return TIMED_OUT;
  }
  return exitCode;
}

/**
 * Runs a command for one row. Rejects with a CommandRefused before anything is started when some part of it may
 * not run there; what the programs make of it afterwards is a result, a failure as well as a timeout.
 */
export async function runCommand(command: ParsedCommand, context: RunContext): Promise<CommandResult> {
  const prepared = await prepareAll(command, context);
  if (context.signal.aborted) throw new CommandRefused("busy", "there was no time left to start");
  const progress: Progress = {
    context,
    captures: new Map(),
    prepared,
    started: performance.now(),
    stdout: "",
    stderr: "",
    timedOut: false,
    truncated: false,
  };
  const exitCode = await runAll(command, progress);
  const { stdout, stderr, timedOut, truncated } = progress;
  return {
    exitCode,
    stdout: stdout.slice(0, MAX_OUTPUT),
    stderr: stderr.slice(0, MAX_OUTPUT),
    timedOut,
    truncated: truncated || stdout.length > MAX_OUTPUT || stderr.length > MAX_OUTPUT,
    durationMs: Math.round(performance.now() - progress.started),
    captures: Object.fromEntries(progress.captures),
  };
}
