/** SOPS metadata in a format without nesting: `sops_age__list_0__map_enc=...`. */
import type { Metadata } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import type { Branch, Tree } from "./tree.ts";

export const METADATA_PREFIX = "sops_";

/** A collection that is still being filled: by key, or by position. */
type Open = Map<string, Open | string>;

const STEP = /__(map|list)_/;

function place(path: string, open: Open, steps: readonly string[], name: string, value: string): void {
  const [step, ...rest] = steps;
  const before = open.get(step ?? "");
  if (step === undefined || typeof before === "string" || (rest.length === 0 && before !== undefined))
    throw new SealError(path, "bad-metadata", `its SOPS metadata "${name}" is written twice`);
  if (rest.length === 0) open.set(step, value);
  else {
    const inner = before ?? new Map<string, Open | string>();
    open.set(step, inner);
    place(path, inner, rest, name, value);
  }
}

/** Lists are told from maps by their keys, which keep the word that separated them. */
function closed(open: Open | string): Tree {
  if (typeof open === "string") return open;
  const keys = [...open.keys()];
  if (keys.length > 0 && keys.every((key) => key.startsWith("list:"))) {
    const position = (key: string): number => Number(key.slice("list:".length));
    return keys.sort((a, b) => position(a) - position(b)).map((key) => closed(open.get(key) ?? ""));
  }
  return new Map([...open].map(([key, value]) => [key.slice(key.indexOf(":") + 1), closed(value)]));
}

/** The metadata as a tree, from its lines without the prefix. */
export function unflatten(path: string, lines: Iterable<readonly [string, string]>): Branch {
  const open: Open = new Map();
  for (const [name, value] of lines) {
    const [first = "", ...rest] = name.split(STEP);
    const steps = [`map:${first}`];
    for (let at = 0; at + 1 < rest.length; at += 2) steps.push(`${rest[at]}:${rest[at + 1]}`);
    place(path, open, steps, name, value);
  }
  return closed(open) as Branch;
}

/** The lines of the metadata in the order in which SOPS writes them. */
export function flatMetadata({ groups, lastModified, mac, rules, version }: Metadata): readonly string[] {
  const age = groups[0]?.age ?? [];
  const rule = `${rules.name}=${rules.pattern}`;
  const lines = [
    ...age.flatMap(({ enc, recipient }, index) => [
      `age__list_${index}__map_enc=${enc.replaceAll("\n", "\\n")}`,
      `age__list_${index}__map_recipient=${recipient}`,
    ]),
    ...(rule.startsWith("encrypted") ? [rule] : []),
    `lastmodified=${lastModified}`,
    `mac=${mac}`,
    ...(rules.macOnlyEncrypted ? ["mac_only_encrypted=true"] : []),
    ...(rule.startsWith("unencrypted") ? [rule] : []),
    `version=${version}`,
  ];
  return lines.map((line) => METADATA_PREFIX + line);
}
