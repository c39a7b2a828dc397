import { escapeInvisible } from "../diagnostics/invisible.ts";

/** Helpers of the Handlebars files: each knows one language, and no value reaches an output without one. */

const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text that no YAML reader takes for anything else: no number, no date, no sign that means something. */
const PLAIN = /^[A-Za-z/][A-Za-z0-9_./>-]*$/;
/** Words that YAML 1.1 or 1.2 reads as true, false or nothing. */
const WORDS = /^(y|n|yes|no|on|off|true|false|null)$/i;

/** A scalar or a flow value that YAML 1.1 and 1.2 read alike: plain where both do, else JSON, which is both. */
export function yaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => yaml(item)).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => `${yaml(key)}: ${yaml(item)}`);
    return `{${entries.join(", ")}}`;
  }
  if (typeof value === "string" && PLAIN.test(value) && !WORDS.test(value)) return value;
  return escapeInvisible(JSON.stringify(value));
}

/** JSON on one line, for formats that hold some. */
export function json(value: unknown): string {
  return escapeInvisible(JSON.stringify(value));
}

/** Text in quotes, whatever it holds: keys and values that are always text look alike. */
export function quoted(value: unknown): string {
  return escapeInvisible(JSON.stringify(String(value)));
}

/** One line of laid out JSON, in a literal block of YAML. */
export function jsonLine(value: unknown): string {
  return escapeInvisible(String(value));
}

/** Text with nothing in it that any of these languages would read as its own; most values are such. */
const ORDINARY = /^(?: ?[A-Za-z0-9.,:()/+=-])*$/;

/** One line of Markdown text, safe in a table cell: no markup, no HTML, no link of its own. */
export function md(value: unknown): string {
  const text = String(value);
  if (ORDINARY.test(text)) return text;
  return text
    .replace(INVISIBLE, "")
    .replace(/\s+/g, " ")
    .replace(/[\\`*_[\]<>|#~]/g, (character) =>
      character === "<" ? "&lt;" : character === ">" ? "&gt;" : `\\${character}`,
    );
}

const IDENTIFIER = /^[A-Za-z0-9_.>-]*$/;

/** An inline code span that no content can leave. */
export function code(value: unknown): string {
  const given = String(value);
  if (IDENTIFIER.test(given)) return `\`${given}\``;
  const text = given.replace(INVISIBLE, "").replace(/\s+/g, " ").replaceAll("|", "\\|");
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(longest + 1);
  return longest === 0 ? `\`${text}\`` : `${fence} ${text} ${fence}`;
}

/** One row of a Markdown table for each parameter of a tool; they are most of what a large stack's documents hold. */
export function parameterRows(value: unknown): string {
  const rows = value as readonly Readonly<Record<"name" | "shape" | "presence" | "doc", string>>[];
  return rows
    .map(
      ({ name, shape, presence, doc }) => `| ${code(name)} | ${md(shape)} | ${md(presence)} | ${md(doc)} |`,
    )
    .join("\n");
}

/** The text between the quotes of a Mermaid label. */
export function mermaid(value: unknown): string {
  const text = String(value);
  if (ORDINARY.test(text)) return text;
  return text
    .replace(INVISIBLE, "")
    .replace(/[&"#<>;\\`|{}[\]]/g, (character) => `#${character.charCodeAt(0)};`);
}
