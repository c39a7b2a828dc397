import { setTimeout as sleep } from "node:timers/promises";
import { createRedactor } from "#runtime/redactor";
import { labelOf } from "#runtime/stack-agent/fields";
import type { Command } from "#runtime/stack-agent/query";
import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import type { CommandMode } from "./mode.ts";
import { createCleaner } from "./output.ts";
import type { Cleaner } from "./output.ts";
import { parseCommand } from "./parse.ts";
import type { SettingsOf } from "./places.ts";
import { previewRow } from "./preview-row.ts";
import { createPrograms } from "./programs.ts";
import { CommandRefused } from "./refused.ts";
import { refusedRow, resultRow } from "./result-row.ts";
import { rowContext } from "./row-context.ts";
import type { Grounds, Span } from "./row-context.ts";
import type { CommandRules } from "./rules.ts";
import { runCommand } from "./run.ts";
import type { ParsedCommand } from "./script.ts";

const STEPS = ["command", "on_success", "on_failure"] as const;

/** A test that passed the grammar and the lists. */
export interface ParsedTest {
  readonly command: ParsedCommand;
  readonly on_success?: ParsedCommand;
  readonly on_failure?: ParsedCommand;
  /** Seconds between success and `on_success`. */
  readonly verify_delay: number;
}

/** Runs the tests of `run_test`, row by row. */
export interface Tester {
  /** Throws a CommandRefused for a test of which some part could never run here. */
  parse(test: Command): ParsedTest;
  /** The commands of one row with every value in place, secrets as `***`, and why a run would be refused. */
  preview(row: Row, test: ParsedTest): Promise<AnswerRow>;
  /** What came of it; a refusal is a result like any other. */
  test(row: Row, test: ParsedTest, span: Span): Promise<AnswerRow>;
  /** What whoever reads the results should know. */
  warnings(): readonly string[];
}

export interface TesterOptions {
  readonly rules: CommandRules;
  readonly mode: CommandMode;
  /** Settings of the drawn links, by the prefix of their variables. */
  readonly settings: SettingsOf;
  readonly approvalForWrites: boolean;
  /** Folders in which programs are looked for; left out, the usual ones. */
  readonly folders?: readonly string[];
}

const spaced = (text: string): string => text.trim().replace(/[ \t]+/g, " ");

function parseStep(text: string, { rules, mode }: TesterOptions): ParsedCommand {
  if (mode === "off") throw new CommandRefused("mode", "running commands is switched off");
  if (mode === "catalog" && !rules.checks.some(({ command }) => spaced(command) === spaced(text))) {
    throw new CommandRefused("mode", "only the commands of the catalog may be run");
  }
  return parseCommand(text, rules);
}

function parseTest(test: Command, options: TesterOptions): ParsedTest {
  const { command, on_success, on_failure, verify_delay } = test;
  return {
    command: parseStep(command, options),
    ...(on_success === undefined ? {} : { on_success: parseStep(on_success, options) }),
    ...(on_failure === undefined ? {} : { on_failure: parseStep(on_failure, options) }),
    verify_delay,
  };
}

async function runStep(command: ParsedCommand, row: Row, grounds: Grounds, span: Span): Promise<AnswerRow> {
  try {
    return resultRow(await runCommand(command, rowContext(row, grounds, span)), span.shown);
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

async function testRow(row: Row, test: ParsedTest, grounds: Grounds, span: Span): Promise<AnswerRow> {
  const first = await runStep(test.command, row, grounds, span);
  const answer = { name: labelOf(row), ...first };
  const { on_success, on_failure, verify_delay } = test;
  if (first["status"] === "passed" && on_success !== undefined) {
    const next = (await waited(verify_delay, span))
      ? await runStep(on_success, row, grounds, span)
      : { status: "timeout", output: "" };
    return { ...answer, on_success: next };
  }
  if ((first["status"] === "failed" || first["status"] === "timeout") && on_failure !== undefined) {
    return { ...answer, on_failure: await runStep(on_failure, row, grounds, span) };
  }
  return answer;
}

/** The settings of links, with every secret made known to what cleans output before anybody can use it. */
function learning(settings: SettingsOf, cleaner: Cleaner): SettingsOf {
  return (env) => {
    const own = settings(env);
    return {
      ...own,
      secret: (name) => {
        const secret = own.secret(name);
        if (secret !== undefined) cleaner.learn(secret.reveal());
        return secret;
      },
    };
  };
}

/** Every account's secrets are known before the first output is cleaned, whichever of them a program could see. */
function learnAll({ links }: CommandRules, settings: SettingsOf): void {
  for (const { env, accounts } of links) {
    const variables = accounts.flatMap((account) => Object.values(account.variables));
    for (const { name } of variables.filter(({ secret }) => secret)) settings(env).secret(name);
  }
}

/** Opens what `run_test` needs; nothing is started before the first test. */
export function createTester(options: TesterOptions): Tester {
  const { rules, folders, approvalForWrites } = options;
  const cleaner = createCleaner(createRedactor());
  const programs = createPrograms({ cleaner, ...(folders === undefined ? {} : { folders }) });
  const settings = learning(options.settings, cleaner);
  learnAll(rules, settings);
  const grounds: Grounds = { rules, settings, programs, approvalForWrites };
  return {
    parse: (test) => parseTest(test, options),
    preview: async (row, test) => {
      const commands = STEPS.flatMap((step) =>
        test[step] === undefined ? [] : [[step, test[step]] as const],
      );
      return await previewRow(row, commands, grounds);
    },
    test: async (row, test, span) => await testRow(row, test, grounds, span),
    warnings: () =>
      cleaner.knowsShort() ? ["a credential is too short to be found and hidden in output"] : [],
  };
}
