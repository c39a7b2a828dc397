import type { ParsedCommand } from "./script.ts";

const PLAIN = /^[\w@%+=:,./-]+$/;

function inPlace(value: string, quoted: boolean): string {
  return quoted || PLAIN.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/**
 * The command as a person reads it, with every variable in place. A secret's value is not in `values`, but `***`;
 * a variable that is not there at all stays as it was written.
 */
export function previewCommand(command: ParsedCommand, values: ReadonlyMap<string, string>): string {
  let shown = "";
  let end = 0;
  for (const token of command.tokens) {
    const written = command.text.slice(token.start, token.end);
    const value = token.variable === null ? undefined : values.get(token.variable);
    shown += command.text.slice(end, token.start);
    if (token.variable === null) shown += written.slice(1, -1);
    else if (value === undefined) shown += written;
    else shown += value === "***" ? value : inPlace(value, token.quoted);
    end = token.end;
  }
  return shown + command.text.slice(end);
}
