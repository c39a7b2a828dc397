import { labelOf } from "#runtime/stack-agent/fields";
import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import { variablesOf } from "./parse.ts";
import { previewCommand } from "./preview.ts";
import { CommandRefused } from "./refused.ts";
import { rowContext } from "./row-context.ts";
import type { Grounds } from "./row-context.ts";
import { rowValue } from "./row-values.ts";
import { demandRunnable } from "./run.ts";
import type { RunContext } from "./run.ts";
import type { ParsedCommand } from "./script.ts";

const NO_TIME = { signal: AbortSignal.abort(), until: 0, shown: 0, mayWrite: true };

/** Why a run of the command would be refused; missing links and values are said elsewhere in the answer. */
async function refusalOf(command: ParsedCommand, context: RunContext): Promise<CommandRefused | undefined> {
  try {
    await demandRunnable(command, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error;
    return error.reason === "not_linked" || error.reason === "unresolved" ? undefined : error;
  }
}

/** The named commands of one row with every value in place, secrets as `***`, and why a run would be refused. */
export async function previewRow(
  row: Row,
  commands: readonly (readonly [step: string, command: ParsedCommand])[],
  grounds: Grounds,
): Promise<AnswerRow> {
  const context = rowContext(row, grounds, NO_TIME);
  const filled: Record<string, unknown> = { name: labelOf(row) };
  const unresolved = new Set<string>();
  const refused: string[] = [];
  for (const [step, command] of commands) {
    const values = new Map<string, string>();
    for (const name of variablesOf(command)) {
      const value = rowValue(row, name, context.places);
      if (value.is === "unknown") unresolved.add(name);
      else values.set(name, value.is === "text" ? value.text : "***");
    }
    filled[step] = previewCommand(command, values);
    const refusal = await refusalOf(command, context);
    if (refusal !== undefined) refused.push(`${step}: ${refusal.message}`);
  }
  return {
    ...filled,
    ...(unresolved.size === 0 ? {} : { unresolved: [...unresolved].sort() }),
    ...(refused.length === 0 ? {} : { refused }),
  };
}
