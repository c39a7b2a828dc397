import { setTimeout as sleep } from "node:timers/promises";
import { createRedactor } from "#runtime/redactor";
import type { Environment } from "#runtime/settings";
import { labelOf } from "#runtime/stack-agent/fields";
import type { Command } from "#runtime/stack-agent/query";
import { reachOf } from "#runtime/stack-agent/reach";
import type { Reach } from "#runtime/stack-agent/reach";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import { demandQuery } from "./guard.ts";
import { demandWrite } from "./may-write.ts";
import type { CommandMode } from "./mode.ts";
import { createCleaner } from "./output.ts";
import { parseCommand, variablesOf } from "./parse.ts";
import { ambientPlaces, placesOf } from "./places.ts";
import type { Links, SettingsOf } from "./places.ts";
import { previewCommand } from "./preview.ts";
import { createPrograms } from "./programs.ts";
import type { Programs } from "./programs.ts";
import { CommandRefused } from "./refused.ts";
import { rowValue, rowVocabulary } from "./row-values.ts";
import type { CommandRules } from "./rules.ts";
import { runCommand } from "./run.ts";
import type { CommandResult, RunContext } from "./run.ts";
import type { ParsedCommand } from "./script.ts";

export const COMMAND_MS = 15_000;

const STEPS = ["command", "on_success", "on_failure"] as const;
type Step = (typeof STEPS)[number];

/** A test that passed the grammar and the lists. */
export interface ParsedTest {
  readonly steps: Readonly<Partial<Record<Step, ParsedCommand>>> & { readonly command: ParsedCommand };
  /** Seconds between success and `on_success`. */
  readonly verify_delay: number;
}

/** When a test has to end. */
export interface Span {
  readonly signal: AbortSignal;
  /** A time of `performance.now()`. */
  readonly until: number;
  /** Characters of each output. */
  readonly shown: number;
}

/** Runs the tests of `run_test`, row by row. */
export interface Tester {
  /** Throws a CommandRefused for a test of which some part could never run here. */
  parse(test: Command): ParsedTest;
  /** The commands of one row with every value in place, secrets as `***`, and why a run would be refused. */
  preview(row: Row, test: ParsedTest): AnswerRow;
  /** What came of it; a refusal is a result like any other. */
  test(row: Row, test: ParsedTest, span: Span): Promise<AnswerRow>;
}

export interface TesterOptions {
  readonly rules: CommandRules;
  readonly mode: CommandMode;
  /** Settings of the drawn links, by the prefix of their variables. */
  readonly settings: SettingsOf;
  /** Of this process: a few programs get a variable or two of it. */
  readonly environment: Environment;
  /** Whether every write waits for a person. */
  readonly approvalForWrites: boolean;
  /** Folders in which programs are looked for; left out, the usual ones. */
  readonly folders?: readonly string[];
}

interface State extends TesterOptions {
  readonly programs: Programs;
}

const reaches = new WeakMap<TopologyData, Reach>();

function linksOf({ index: { data } }: Row, { rules, settings }: State): Links {
  const reach = reaches.get(data) ?? reachOf(data);
  reaches.set(data, reach);
  return { reach, rules, settings };
}

const spaced = (text: string): string => text.trim().replace(/[ \t]+/g, " ");

function parseStep(text: string, { rules, mode }: State): ParsedCommand {
  if (mode === "off") throw new CommandRefused("mode", "running commands is switched off");
  if (mode === "catalog" && !rules.checks.some(({ command }) => spaced(command) === spaced(text))) {
    throw new CommandRefused(
      "mode",
      "only the commands of the catalog may be run",
      "stack://guide/api lists them",
    );
  }
  return parseCommand(text, rules);
}

function parseTest(test: Command, state: State): ParsedTest {
  const { on_success, on_failure, verify_delay } = test;
  return {
    steps: {
      command: parseStep(test.command, state),
      ...(on_success === undefined ? {} : { on_success: parseStep(on_success, state) }),
      ...(on_failure === undefined ? {} : { on_failure: parseStep(on_failure, state) }),
    },
    verify_delay,
  };
}

function routeOf({ index, link }: Row, { rules }: State): RunContext["route"] {
  const { domain } = index.data;
  const from = link === null ? undefined : index.byName.get(link.from.component)?.component.type;
  if (link === null || domain === null || from === undefined || !rules.gateways.includes(from)) return null;
  const to = link.to.component;
  return { host: `${String(link.attributes["subdomain"] ?? to)}.${domain}`, to };
}

function contextOf(row: Row, state: State, { signal, until }: Span): RunContext {
  const links = linksOf(row, state);
  const places = placesOf(row, links);
  return {
    places,
    everywhere: ambientPlaces(row, links),
    route: routeOf(row, state),
    vocabulary: rowVocabulary(row, places, state.settings),
    programs: state.programs,
    demandWrite: (tool, { target }) => demandWrite(tool, target.place, state),
    demandQuery: async (guard, text, { target }) => await demandQuery(guard, text, target.place),
    timeoutMs: Math.min(COMMAND_MS, until - performance.now()),
    signal,
  };
}

function previewOf(row: Row, test: ParsedTest, state: State): AnswerRow {
  const places = placesOf(row, linksOf(row, state));
  const filled: Record<string, unknown> = { name: labelOf(row) };
  const unresolved = new Set<string>();
  for (const step of STEPS) {
    const command = test.steps[step];
    if (command === undefined) continue;
    const values = new Map<string, string>();
    for (const name of variablesOf(command)) {
      const value = rowValue(row, name, places, state.settings);
      if (value.is === "unknown") unresolved.add(name);
      else values.set(name, value.is === "text" ? value.text : "***");
    }
    filled[step] = previewCommand(command, values);
  }
  return unresolved.size === 0 ? filled : { ...filled, unresolved: [...unresolved].sort() };
}

/** Both streams as one text, as a person would see them. */
function shownOutput({ stdout, stderr }: CommandResult, shown: number): string {
  const whole = [stdout.trimEnd(), stderr.trimEnd()].filter((text) => text !== "").join("\n");
  return whole.length > shown ? `${whole.slice(0, shown).toWellFormed()}... [cut]` : whole;
}

function statusOf({ exitCode, timedOut }: CommandResult): string {
  if (timedOut) return "timeout";
  return exitCode === 0 ? "passed" : "failed";
}

function resultRow(result: CommandResult, shown: number): AnswerRow {
  const { exitCode, truncated, durationMs, captures } = result;
  return {
    status: statusOf(result),
    output: shownOutput(result, shown),
    exit_code: exitCode,
    ...(Object.keys(captures).length === 0 ? {} : { captures }),
    ...(truncated ? { truncated } : {}),
    duration_ms: durationMs,
  };
}

function refusedRow({ reason, message, hint }: CommandRefused): AnswerRow {
  const status = reason === "not_linked" ? "not_linked" : "refused";
  return { status, reason, message, ...(hint === undefined ? {} : { hint }) };
}

async function runStep(command: ParsedCommand, row: Row, state: State, span: Span): Promise<AnswerRow> {
  try {
    return resultRow(await runCommand(command, contextOf(row, state, span)), span.shown);
  } catch (error) {
    if (error instanceof CommandRefused) return refusedRow(error);
    throw error;
  }
}

/** Waits for `seconds`, unless there is no time left for that. */
async function waited(seconds: number, { signal, until }: Span): Promise<boolean> {
  if (performance.now() + seconds * 1000 >= until) return false;
  try {
    await sleep(seconds * 1000, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

async function testRow(row: Row, test: ParsedTest, state: State, span: Span): Promise<AnswerRow> {
  const first = await runStep(test.steps.command, row, state, span);
  const answer = { name: labelOf(row), ...first };
  const { on_success, on_failure } = test.steps;
  if (first["status"] === "passed" && on_success !== undefined) {
    const isTime = await waited(test.verify_delay, span);
    const next = isTime ? await runStep(on_success, row, state, span) : { status: "timeout" };
    return { ...answer, on_success: next };
  }
  if ((first["status"] === "failed" || first["status"] === "timeout") && on_failure !== undefined) {
    return { ...answer, on_failure: await runStep(on_failure, row, state, span) };
  }
  return answer;
}

/** Opens what `run_test` needs; nothing is started before the first test. */
export function createTester(options: TesterOptions): Tester {
  const redactor = createRedactor();
  const cleaner = createCleaner(redactor);
  const settings: SettingsOf = (env) => {
    const own = options.settings(env);
    return {
      ...own,
      secret: (name) => {
        const secret = own.secret(name);
        if (secret !== undefined) cleaner.learn(secret.reveal());
        return secret;
      },
    };
  };
  const programs = createPrograms({
    cleaner,
    environment: options.environment,
    ...(options.folders === undefined ? {} : { folders: options.folders }),
  });
  const state: State = { ...options, settings, programs };
  return {
    parse: (test) => parseTest(test, state),
    preview: (row, test) => previewOf(row, test, state),
    test: async (row, test, span) => await testRow(row, test, state, span),
  };
}
