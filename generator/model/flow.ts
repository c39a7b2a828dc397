import { isBlock } from "./block.ts";

/** Words that every YAML reader takes as text, in a flow collection too. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*$|^[1-9][0-9]*\/[a-z]+$/;
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

function scalar(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return PLAIN.test(value) && !RESERVED.test(value) ? value : JSON.stringify(value);
}

/** One line of YAML: the same text for the same value, whoever wrote it and however. */
export function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (!isBlock(value)) return scalar(value);
  const entries = Object.entries(value).map(([key, item]) => `${scalar(key)}: ${flow(item)}`);
  return `{${entries.join(", ")}}`;
}
