import type { DiagnosticCode } from "./codes.ts";
import type { Finding } from "./diagnostic.ts";
import type { Path } from "../model/topology.ts";
import { looksSecret } from "./looks-secret.ts";

/** Takes one problem; every stage of the loader reports here and goes on, so that one run shows them all. */
export type Report = (code: DiagnosticCode, message: string, path: Path, on?: Finding["on"]) => void;

/** A word of the file as messages show it: short, on one line, and never a secret that stands in its place. */
export function quoted(word: string): string {
  if (looksSecret(word)) return '"***"';
  return JSON.stringify(word.length > 60 ? `${word.slice(0, 60)}...` : word);
}

const MOST_LISTED = 12;

/** `a, b, c` in order, for messages that list what is possible. */
export function listed(words: Iterable<string>): string {
  const sorted = [...words].sort();
  if (sorted.length <= MOST_LISTED) return sorted.join(", ");
  return `${sorted.slice(0, MOST_LISTED).join(", ")} and ${sorted.length - MOST_LISTED} more`;
}
