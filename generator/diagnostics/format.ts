import type { Diagnostic } from "./diagnostic.ts";
import { formatJunit } from "./format-junit.ts";
import { formatSarif } from "./format-sarif.ts";
import { escapeInvisible } from "./invisible.ts";

export type DiagnosticFormat = "text" | "json" | "github" | "sarif" | "junit";

export interface FormatOptions {
  /** Colours severities and codes; only `text` has colours. */
  readonly color?: boolean;
}

const red = "\u001b[31m";
const yellow = "\u001b[33m";
const plain = "\u001b[39m";

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Files by name, then places from the top, so that the same problems always read the same. */
function compareDiagnostics(a: Diagnostic, b: Diagnostic): number {
  return (
    compareText(a.at.file, b.at.file) ||
    a.at.line - b.at.line ||
    a.at.column - b.at.column ||
    compareText(a.code, b.code) ||
    compareText(a.path, b.path) ||
    compareText(a.message, b.message)
  );
}

function countOf(diagnostics: readonly Diagnostic[], severity: Diagnostic["severity"]): number {
  return diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** One line of text, whatever names a message repeats from the file. */
function oneLine(text: string): string {
  return escapeInvisible(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

function textLine({ at, severity, code, path, message }: Diagnostic, color: boolean): string {
  const tint = severity === "error" ? red : yellow;
  const label = color ? `${tint}${severity} ${code}${plain}` : `${severity} ${code}`;
  const where = path === "" ? "" : ` ${oneLine(path)}`;
  return `${oneLine(at.file)}:${at.line}:${at.column}: ${label}${where}: ${oneLine(message)}\n`;
}

function formatText(diagnostics: readonly Diagnostic[], color: boolean): string {
  const errors = plural(countOf(diagnostics, "error"), "error");
  const warnings = plural(countOf(diagnostics, "warning"), "warning");
  const lines = diagnostics.map((diagnostic) => textLine(diagnostic, color));
  return `${lines.join("")}${errors}, ${warnings}\n`;
}

/** `format_version` changes its first number when a reader of the old format would break. */
function formatJson(diagnostics: readonly Diagnostic[]): string {
  const errors = countOf(diagnostics, "error");
  const report = {
    format_version: "1.0",
    valid: errors === 0,
    error_count: errors,
    warning_count: countOf(diagnostics, "warning"),
    diagnostics: diagnostics.map(({ severity, code, message, path, at }) => {
      return { severity, code, message, path, file: at.file, line: at.line, column: at.column };
    }),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** GitHub ends a command at a line end and its properties at `:` and `,`, so these are percent-encoded. */
function githubMessage(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function githubProperty(text: string): string {
  return githubMessage(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function githubLine({ severity, at, code, message }: Diagnostic): string {
  const place = `file=${githubProperty(at.file)},line=${at.line},col=${at.column}`;
  return `::${severity} ${place},title=${githubProperty(code)}::${githubMessage(message)}\n`;
}

/**
 * Diagnostics for a person or a machine, always in the same order and ending in a line end.
 *
 * `text` ends with the counts; `github` makes annotations in a workflow log and is empty without diagnostics.
 */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  format: DiagnosticFormat,
  { color = false }: FormatOptions = {},
): string {
  const ordered = [...diagnostics].sort(compareDiagnostics);
  switch (format) {
    case "text":
      return formatText(ordered, color);
    case "json":
      return formatJson(ordered);
    case "github":
      return ordered.map(githubLine).join("");
    case "sarif":
      return formatSarif(ordered);
    case "junit":
      return formatJunit(ordered);
  }
}
