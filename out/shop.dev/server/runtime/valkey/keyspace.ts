import { ToolFault } from "#runtime/fault";

/** Keys that share a prefix. */
export interface Keyspace {
  readonly name: string;
  readonly prefix: string;
  readonly database: number;
}

/** The most specific keyspace that holds the key; `keyspaces` come longest prefix first. */
export function ownerOf<K extends Keyspace>(keyspaces: readonly K[], key: string): K | undefined {
  return keyspaces.find((keyspace) => key.startsWith(keyspace.prefix));
}

/** A key or pattern outside `keyspaces` is refused here, before anything reaches the server. */
export function outside(keyspaces: readonly Keyspace[], what: string): ToolFault {
  return new ToolFault("denied", `the ${what} is outside the keyspaces of this link`, {
    hint: `start it with ${keyspaces.map((keyspace) => keyspace.prefix).join(" or ")}`,
  });
}

/** The text as a glob pattern that matches nothing else. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

/** What every match of the pattern starts with. */
function literalHead(pattern: string): string {
  const head = /^(?:\\.|[^\\*?[])*/.exec(pattern)?.[0] ?? "";
  return head.replace(/\\(.)/g, "$1");
}

/** One pass over a keyspace: what the server is asked for, and whose keys are kept. */
export interface Pass {
  readonly keyspace: Keyspace;
  readonly match: string;
}

/** Stars in a pattern: each multiplies the work of the server's matcher. */
export const MAX_STARS = 5;

/** The passes that answer a pattern; without one, a pass over every keyspace. */
export function passesFor(keyspaces: readonly Keyspace[], pattern: string | undefined): readonly Pass[] {
  if (pattern === undefined) {
    return keyspaces.map((keyspace) => ({ keyspace, match: `${escapeGlob(keyspace.prefix)}*` }));
  }
  if (pattern.split("*").length - 1 > MAX_STARS) {
    throw new ToolFault("invalid_argument", `the pattern has more than ${MAX_STARS} stars`);
  }
  const head = literalHead(pattern);
  if (ownerOf(keyspaces, head) === undefined) throw outside(keyspaces, "pattern");
  return keyspaces
    .filter(({ prefix }) => head.startsWith(prefix) || prefix.startsWith(head))
    .map((keyspace) => ({ keyspace, match: pattern }));
}
