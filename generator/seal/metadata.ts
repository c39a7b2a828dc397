/** What a SOPS file says about itself: who can read it, what is encrypted, and the code over all of it. */
import type { WrappedKey } from "./age.ts";
import { MOST_RECIPIENTS } from "./recipients.ts";
import { SealError } from "./seal-error.ts";
import type { Branch, Tree } from "./tree.ts";
import { isBranch, isList, plainText } from "./tree.ts";

const RULES = [
  "encrypted_comment_regex",
  "encrypted_regex",
  "encrypted_suffix",
  "unencrypted_comment_regex",
  "unencrypted_regex",
  "unencrypted_suffix",
] as const;

export type RuleName = (typeof RULES)[number];

/** Which values of a file are encrypted, and which of them the code covers. */
export interface Rules {
  readonly name: RuleName;
  readonly pattern: string;
  /** The code covers the encrypted values alone. */
  readonly macOnlyEncrypted: boolean;
}

/** Keys of which any one opens the group's part of the data key. */
export interface KeyGroup {
  readonly age: readonly WrappedKey[];
  /** Kinds of key beside age: `pgp`, `kms` ... */
  readonly others: readonly string[];
}

export interface Metadata {
  /** One, unless the data key was split so that it takes several people to open the file. */
  readonly groups: readonly KeyGroup[];
  /** Groups that it takes. */
  readonly threshold: number;
  /** RFC 3339 without fractions of a second: the code is bound to this text. */
  readonly lastModified: string;
  /** The code, encrypted; empty when there is none. */
  readonly mac: string;
  readonly rules: Rules;
  readonly version: string;
}

const OTHER_KEYS = ["azure_kv", "gcp_kms", "hc_vault", "hckms", "kms", "pgp"];
const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;

function textOf(path: string, tree: Branch, key: string): string {
  const value = tree.get(key) ?? "";
  if (isBranch(value) || isList(value))
    throw new SealError(path, "bad-metadata", `its SOPS metadata "${key}" is no text`);
  return plainText(value);
}

/** Older versions of SOPS wrote lists that are empty, or nothing in their place. */
function listOf(path: string, tree: Branch, key: string): readonly Tree[] {
  const value = tree.get(key) ?? [];
  if (isList(value)) return value;
  if (!isBranch(value) && plainText(value) === "") return [];
  throw new SealError(path, "bad-metadata", `its SOPS metadata "${key}" is no list`);
}

function wrappedKey(path: string, tree: Tree): WrappedKey {
  const recipient = isBranch(tree) ? textOf(path, tree, "recipient") : "";
  const enc = isBranch(tree) ? textOf(path, tree, "enc") : "";
  if (recipient !== "" && enc !== "") return { recipient, enc };
  throw new SealError(path, "bad-metadata", "its SOPS metadata names a recipient without its key");
}

function groupFrom(path: string, tree: Branch): KeyGroup {
  const filled = (value: Tree | undefined): boolean => isList(value) && value.length > 0;
  return {
    age: listOf(path, tree, "age").map((each) => wrappedKey(path, each)),
    others: OTHER_KEYS.filter((kind) => filled(tree.get(kind))),
  };
}

function groupsFrom(path: string, tree: Branch): readonly KeyGroup[] {
  const whole = groupFrom(path, tree);
  const groups = listOf(path, tree, "key_groups");
  if (whole.age.length + whole.others.length > 0 || groups.length === 0) return [whole];
  return groups.map((group) => groupFrom(path, isBranch(group) ? group : new Map()));
}

function rulesFrom(path: string, tree: Branch): Rules {
  const written = RULES.map((name) => ({ name, pattern: textOf(path, tree, name) })).filter(
    ({ pattern }) => pattern !== "",
  );
  if (written.length > 1) {
    const names = written.map(({ name }) => name).join(" and ");
    throw new SealError(path, "rules", `it says twice what is encrypted: ${names}`);
  }
  const [rule = { name: "unencrypted_suffix" as const, pattern: "_unencrypted" }] = written;
  return { ...rule, macOnlyEncrypted: textOf(path, tree, "mac_only_encrypted") === "true" };
}

function lastModifiedFrom(path: string, tree: Branch): string {
  const [, seconds, zone] = TIME.exec(textOf(path, tree, "lastmodified")) ?? [];
  if (seconds === undefined || zone === undefined) {
    const problem = 'its SOPS metadata "lastmodified" is no time such as 2026-01-31T12:00:00Z';
    throw new SealError(path, "bad-metadata", problem);
  }
  return seconds + zone;
}

function versionFrom(path: string, tree: Branch): string {
  const version = textOf(path, tree, "version");
  if (VERSION.test(version)) return version;
  throw new SealError(path, "bad-metadata", 'its SOPS metadata "version" is no version such as 3.9.4');
}

/** The metadata of a file, whoever wrote it. The code is not verified here: that takes the data key. */
export function metadataFrom(path: string, tree: Branch): Metadata {
  const groups = groupsFrom(path, tree);
  const count = groups.reduce((sum, { age }) => sum + age.length, 0);
  if (count > MOST_RECIPIENTS) {
    const problem = `${count} recipients are too many: at most ${MOST_RECIPIENTS}`;
    throw new SealError(path, "too-many-recipients", problem);
  }
  return {
    groups,
    threshold: Number(textOf(path, tree, "shamir_threshold")) || groups.length,
    lastModified: lastModifiedFrom(path, tree),
    mac: textOf(path, tree, "mac"),
    rules: rulesFrom(path, tree),
    version: versionFrom(path, tree),
  };
}
