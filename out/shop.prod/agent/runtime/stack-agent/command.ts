import { ToolFault } from "#runtime/fault";
import { labelOf } from "./fields.ts";
import type { Command } from "./query.ts";
import type { AnswerRow } from "./topology-index.ts";
import { SECRET, variableOf } from "./variables.ts";
import type { Row } from "./variables.ts";

/** `{{text}}` stands for `{text}`; `{word}` is a variable. */
const TOKEN = /\{\{([^{}]*)\}\}|\{([a-z_]\w*)\}/g;
const PLAIN = /^[\w@%+=:,./-]+$/;

const quoted = (value: string): string => (PLAIN.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);

/** A command as it would run for one row; `unresolved` collects the variables that mean nothing there. */
export function substitute(text: string, row: Row, unresolved: Set<string>): string {
  return text.replace(TOKEN, (token, literal: string | undefined, name: string | undefined) => {
    if (name === undefined) return `{${literal ?? ""}}`;
    const value = variableOf(row, name);
    if (value === SECRET) return "***";
    if (value === undefined || typeof value === "object") {
      unresolved.add(name);
      return token;
    }
    return quoted(String(value));
  });
}

/** The commands of one row with every variable in place and every secret as `***`. */
export function previewRow(command: Command, row: Row): AnswerRow {
  const unresolved = new Set<string>();
  const filled: Record<string, string> = { name: labelOf(row) };
  for (const step of ["command", "on_success", "on_failure"] as const) {
    const text = command[step];
    if (text !== undefined) filled[step] = substitute(text, row, unresolved);
  }
  return unresolved.size === 0 ? filled : { ...filled, unresolved: [...unresolved].sort() };
}

/** Commands are shown, not run: there is nothing here that could run one. */
export function refuseRun(): never {
  throw new ToolFault("command_mode_off", "running commands is switched off", {
    hint: "call again with dry_run: true to see the commands with every variable in place",
  });
}
