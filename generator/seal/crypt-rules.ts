/** Which values of a file are encrypted, by the rule that the file carries. */
import type { Rules } from "./metadata.ts";
import { SealError } from "./seal-error.ts";

/** Whether the value at a path is encrypted; `undefined` when only comments in the file could say. */
export type IsEncrypted = (path: readonly string[]) => boolean | undefined;

/** What Go's regular expressions have and JavaScript's have not, or take for something else. */
const OTHER_SYNTAX = /\[\[:|\\[QECpPZ]|\\[1-9]|\(\?(?:<?[=!]|[a-zA-Z]*-)|\(\?[a-zA-Z]+:/;
const FLAGS = /^\(\?([ims]+)\)/;

/** A pattern of Go's as one of JavaScript's. */
function translated(path: string, pattern: string): RegExp {
  const [opening = "", flags = ""] = FLAGS.exec(pattern) ?? [];
  const body = pattern
    .slice(opening.length)
    .replaceAll("(?P<", "(?<")
    .replaceAll("\\A", "^")
    .replaceAll("\\z", "$");
  const problem = "its rule of what is encrypted is a regular expression that is not understood here";
  if (OTHER_SYNTAX.test(body)) throw new SealError(path, "unsupported", problem);
  try {
    return new RegExp(body, `u${flags}`);
  } catch {
    throw new SealError(path, "unsupported", problem);
  }
}

/** Many values share the parts of their paths, so each part is tried once. */
function remembered(matches: (part: string) => boolean): (part: string) => boolean {
  const known = new Map<string, boolean>();
  return (part) => {
    const answer = known.get(part) ?? matches(part);
    known.set(part, answer);
    return answer;
  };
}

/** The rule as a function of the path: it is tried on every part, so it covers all that stands below one. */
export function isEncryptedBy(path: string, { name, pattern }: Rules): IsEncrypted {
  if (name.endsWith("comment_regex")) return () => undefined;
  const regExp = name.endsWith("_regex") ? translated(path, pattern) : undefined;
  const matches = remembered((part) => regExp?.test(part) ?? part.endsWith(pattern));
  return name.startsWith("encrypted") ? (parts) => parts.some(matches) : (parts) => !parts.some(matches);
}
