import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { CommandRefused } from "./refused.ts";
import type { CommandResult } from "./run.ts";

/** Both streams as one text, as a person would see them. */
function shownOutput({ stdout, stderr }: CommandResult, shown: number): string {
  const whole = [stdout.trimEnd(), stderr.trimEnd()].filter((text) => text !== "").join("\n");
  return whole.length > shown ? `${whole.slice(0, shown).toWellFormed()}... [cut]` : whole;
}

function statusOf({ exitCode, timedOut }: CommandResult): string {
  if (timedOut) return "timeout";
  return exitCode === 0 ? "passed" : "failed";
}

/** What a command gave; `shown` is the number of characters of output that are answered. */
export function resultRow(result: CommandResult, shown: number): AnswerRow {
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

/** Why a command was not run. */
export function refusedRow({ reason, message, hint }: CommandRefused): AnswerRow {
  const status = reason === "not_linked" ? "not_linked" : "refused";
  return { status, reason, message, ...(hint === undefined ? {} : { hint }) };
}
