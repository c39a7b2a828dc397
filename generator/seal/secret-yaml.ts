/** A Kubernetes Secret, sealed, written as SOPS itself writes it: so `sops edit` changes no other line. */
import { readBlockYaml } from "./block-yaml.ts";
import type { Metadata } from "./metadata.ts";
import { SealError } from "./seal-error.ts";
import type { Branch, Tree } from "./tree.ts";
import { isBranch } from "./tree.ts";

/** What stands above the entries. It is not encrypted, and nothing vouches for it. */
export interface SecretHead {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const sortedLabels = ({ labels }: SecretHead): readonly (readonly [string, string])[] =>
  Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));

export function isSameHead(one: SecretHead | undefined, other: SecretHead | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const shown = (head: SecretHead): string => JSON.stringify([head.name, head.namespace, sortedLabels(head)]);
  return shown(one) === shown(other);
}

export interface SecretFile {
  readonly head: SecretHead;
  readonly entries: ReadonlyMap<string, string>;
  readonly metadata: Branch | undefined;
}

const KEYS = new Set(["apiVersion", "kind", "metadata", "type", "stringData", "sops"]);
const METADATA_KEYS = new Set(["name", "namespace", "labels"]);

function refuse(path: string, problem: string): never {
  throw new SealError(path, "unknown-key", `${problem}: it is one Secret with stringData, and nothing else`);
}

function areTexts(tree: Branch): tree is ReadonlyMap<string, string> {
  for (const value of tree.values()) if (typeof value !== "string") return false;
  return true;
}

function textsOf(path: string, tree: Tree | undefined, what: string): ReadonlyMap<string, string> {
  if (tree === undefined) return new Map();
  if (!isBranch(tree)) return refuse(path, `${what} is no map`);
  return areTexts(tree) ? tree : refuse(path, `${what} holds a collection`);
}

function headOf(path: string, tree: Branch): SecretHead {
  const metadata = tree.get("metadata");
  if (!isBranch(metadata) || [...metadata.keys()].some((key) => !METADATA_KEYS.has(key)))
    return refuse(path, "its metadata holds more than name, namespace and labels, or is no map");
  const { name, namespace } = { name: metadata.get("name"), namespace: metadata.get("namespace") };
  if (typeof name !== "string" || typeof namespace !== "string")
    return refuse(path, "its name or namespace is missing");
  const labels = textsOf(path, metadata.get("labels"), "its labels");
  return { name, namespace, labels: Object.fromEntries(labels) };
}

/** A sealed Secret taken apart; fails when it is anything else than one. */
export function readSecret(path: string, text: string): SecretFile {
  const tree = readBlockYaml(path, text);
  if (tree.get("apiVersion") !== "v1" || tree.get("kind") !== "Secret") refuse(path, "it is no v1 Secret");
  if (tree.get("type") !== "Opaque") refuse(path, "its type is not Opaque");
  if ([...tree.keys()].some((key) => !KEYS.has(key))) refuse(path, "it has a key of another kind");
  const metadata = tree.get("sops");
  return {
    head: headOf(path, tree),
    entries: textsOf(path, tree.get("stringData"), "its stringData"),
    metadata: isBranch(metadata) ? metadata : undefined,
  };
}

/** Texts that no reader of YAML, old or new, takes for anything but text. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*$/;
const WORDS = new Set(["y", "n", "yes", "no", "on", "off", "true", "false", "null"]);

function yamlText(text: string): string {
  return PLAIN.test(text) && !WORDS.has(text.toLowerCase()) ? text : JSON.stringify(text);
}

function headLines(head: SecretHead): readonly string[] {
  const labels = sortedLabels(head);
  return [
    "apiVersion: v1",
    "kind: Secret",
    "metadata:",
    `    name: ${yamlText(head.name)}`,
    `    namespace: ${yamlText(head.namespace)}`,
    ...(labels.length === 0 ? [] : ["    labels:"]),
    ...labels.map(([label, value]) => `        ${yamlText(label)}: ${yamlText(value)}`),
    "type: Opaque",
  ];
}

function metadataLines({ groups, lastModified, mac, rules, version }: Metadata): readonly string[] {
  const age = groups[0]?.age ?? [];
  const key = ({ enc, recipient }: (typeof age)[number]): readonly string[] => [
    "        - enc: |",
    ...enc
      .trimEnd()
      .split("\n")
      .map((line) => `            ${line}`),
    `          recipient: ${recipient}`,
  ];
  const rule = `    ${rules.name}: ${rules.pattern}`;
  return [
    "sops:",
    "    age:",
    ...age.flatMap(key),
    ...(rules.name.startsWith("encrypted") ? [rule] : []),
    `    lastmodified: "${lastModified}"`,
    `    mac: ${mac}`,
    ...(rules.macOnlyEncrypted ? ["    mac_only_encrypted: true"] : []),
    ...(rules.name.startsWith("encrypted") ? [] : [rule]),
    `    version: ${version}`,
  ];
}

/** The whole file. Entries are encrypted ones, which are plain texts to every reader. */
export function writeSecret(
  head: SecretHead,
  entries: readonly { readonly name: string; readonly sealed: string }[],
  metadata: Metadata,
): string {
  const data =
    entries.length === 0
      ? ["stringData: {}"]
      : ["stringData:", ...entries.map(({ name, sealed }) => `    ${yamlText(name)}: ${sealed}`)];
  return `${[...headLines(head), ...data, ...metadataLines(metadata)].join("\n")}\n`;
}
