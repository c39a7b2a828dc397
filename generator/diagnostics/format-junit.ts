import type { Diagnostic } from "./diagnostic.ts";
import { escapeInvisible } from "./invisible.ts";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
};

/** XML has no way at all to hold most control characters, so these become visible escapes first. */
function xml(text: string): string {
  return escapeInvisible(text).replace(/[&<>"\t\n]/g, (character) => entities[character] ?? character);
}

function testCase({ code, severity, message, at, path }: Diagnostic): string {
  const place = `${at.file}:${at.line}:${at.column}`;
  const name = xml(`${place} ${code} ${path}`.trimEnd());
  const text = xml(`${place}: ${severity} ${code}: ${message}`);
  const outcome =
    severity === "error"
      ? `<failure type="${code}" message="${xml(message)}">${text}</failure>`
      : `<system-out>${text}</system-out>`;
  return `    <testcase classname="${xml(at.file)}" name="${name}">${outcome}</testcase>\n`;
}

/** JUnit XML: each error is a failed case, each warning a passed one with output, and no diagnostic one passed case. */
export function formatJunit(diagnostics: readonly Diagnostic[]): string {
  const failures = diagnostics.filter(({ severity }) => severity === "error").length;
  const cases = diagnostics.map(testCase);
  if (cases.length === 0) cases.push('    <testcase classname="topogate" name="validate"/>\n');
  const counts = `tests="${cases.length}" failures="${failures}" errors="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    `<testsuites ${counts}>\n`,
    `  <testsuite name="topogate validate" ${counts}>\n`,
    ...cases,
    "  </testsuite>\n",
    "</testsuites>\n",
  ].join("");
}
