import { resourceDigest, toolDigest } from "#runtime/digest";
import type { Pinned } from "#runtime/digest";
import type { Registry } from "#runtime/registry";
import { StartError } from "#runtime/start-error";
import type { ToolEntry, ToolIndex } from "#runtime/surface/tool-index";

interface PinnedTool extends Pinned {
  readonly link: string;
  readonly access: string;
  readonly hash: string;
}

/** A prompt or resource as it was reviewed: its text is part of the hash. */
interface PinnedContent {
  readonly link: string;
  readonly hash: string;
}

/** The part of `surface.lock.json` that the server holds itself to: what reviewers have seen. */
export interface Surface {
  readonly stack: string;
  readonly environment: string | null;
  readonly tools: readonly PinnedTool[];
  readonly prompts: readonly (PinnedContent & { readonly name: string })[];
  readonly resources: readonly (PinnedContent & { readonly uri: string })[];
  /** Missing when no rules are drawn. */
  readonly rules?: readonly PinnedRules[];
}

interface PinnedRules {
  readonly file: string;
  readonly hash: string;
}

const REMEDY = "generate again and review the difference";

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPinnedTool(value: unknown): value is PinnedTool {
  if (!isRecord(value)) return false;
  const texts = ["name", "title", "description", "link", "access", "hash"];
  const records = ["inputSchema", "outputSchema", "annotations"];
  return texts.every((key) => typeof value[key] === "string") && records.every((key) => isRecord(value[key]));
}

function isPinnedContent(value: unknown, key: string): boolean {
  return isRecord(value) && [key, "link", "hash"].every((member) => typeof value[member] === "string");
}

function isPinnedRules(value: unknown): value is PinnedRules {
  return isRecord(value) && typeof value["file"] === "string" && typeof value["hash"] === "string";
}

/** Reads the lock; throws a StartError when it is not one. */
export function parseSurface(text: string): Surface {
  let lock: unknown;
  try {
    lock = JSON.parse(text);
  } catch {
    throw new StartError(`surface.lock.json is not valid JSON: ${REMEDY}`);
  }
  if (!isRecord(lock) || lock["version"] !== 1)
    throw new StartError(`surface.lock.json is not of version 1: ${REMEDY}`);
  const { stack, environment, tools, prompts, resources, rules = [] } = lock;
  const isNamed = typeof stack === "string" && (environment === null || typeof environment === "string");
  const isList = (list: unknown, key: string): boolean =>
    Array.isArray(list) && list.every((value) => isPinnedContent(value, key));
  const hasRules = Array.isArray(rules) && rules.every(isPinnedRules);
  const isWhole = isNamed && isList(prompts, "name") && isList(resources, "uri") && hasRules;
  if (!isWhole || !Array.isArray(tools) || !tools.every(isPinnedTool)) {
    throw new StartError(`surface.lock.json is incomplete: ${REMEDY}`);
  }
  return {
    stack,
    environment,
    tools,
    prompts: prompts as Surface["prompts"],
    resources: resources as Surface["resources"],
    rules,
  };
}

function differenceOf(entry: ToolEntry, pinned: PinnedTool): string | undefined {
  if (entry.allowed === undefined) return "is not permitted by the registry";
  if (pinned.link !== entry.allowed.link) return "belongs to another link";
  if (pinned.access !== entry.allowed.access) return "has another access";
  // Both, because a reviewer reads the text of the lock and not its digest.
  if (pinned.hash !== toolDigest(pinned)) return "has a hash that is not its own";
  return pinned.hash === toolDigest(entry.tool) ? undefined : "is not what was reviewed";
}

interface Offered {
  readonly key: string;
  readonly link: string;
  readonly hash: string;
}

/** What a model reads beside tools is an instruction as well, so it is held to the same. */
function demandContents(what: string, pins: readonly Offered[], offered: readonly Offered[]): void {
  const reviewed = new Map(pins.map((pin) => [pin.key, pin]));
  for (const { key, link, hash } of offered) {
    const pin = reviewed.get(key);
    if (pin === undefined) throw new StartError(`${what} ${key} is not in surface.lock.json: ${REMEDY}`);
    if (pin.link !== link || pin.hash !== hash)
      throw new StartError(`${what} ${key} of surface.lock.json is not what was reviewed: ${REMEDY}`);
  }
  const missing = pins.find(({ key }) => !offered.some((each) => each.key === key));
  if (missing !== undefined)
    throw new StartError(`${what} ${missing.key} of surface.lock.json does not exist: ${REMEDY}`);
}

function demandAllContents(surface: Surface, { resources, prompts }: ToolIndex["contents"]): void {
  demandContents(
    "resource",
    surface.resources.map(({ uri: key, link, hash }) => ({ key, link, hash })),
    resources.map(({ content, link, text }) => ({
      key: content.uri,
      link: link.id,
      hash: resourceDigest(content, text),
    })),
  );
  demandContents(
    "prompt",
    surface.prompts.map(({ name: key, link, hash }) => ({ key, link, hash })),
    prompts.map(({ content, link, hash }) => ({
      key: content.name,
      link: link.id,
      hash,
    })),
  );
}

/**
 * Demands that what the code offers is what the lock has, one by one and byte by byte: what a model reads about
 * a tool, in a prompt or in a guide is an instruction to it. Throws a StartError that names the first difference.
 */
export function demandSurface(surface: Surface, registry: Registry, tools: ToolIndex): void {
  if (surface.stack !== registry.stack || surface.environment !== registry.environment) {
    throw new StartError(`surface.lock.json belongs to another stack or environment: ${REMEDY}`);
  }
  const pins = new Map(surface.tools.map((pin) => [pin.name, pin]));
  for (const entry of tools.entries) {
    if (entry.allowed === undefined) continue;
    const pin = pins.get(entry.tool.name);
    if (pin === undefined)
      throw new StartError(`tool ${entry.tool.name} is not in surface.lock.json: ${REMEDY}`);
  }
  for (const pin of surface.tools) {
    const entry = tools.find(pin.name);
    const difference = entry === undefined ? "does not exist" : differenceOf(entry, pin);
    if (difference !== undefined) {
      throw new StartError(`tool ${pin.name} of surface.lock.json ${difference}: ${REMEDY}`);
    }
  }
  demandAllContents(surface, tools.contents);
}

/** Demands that the rules are those that were reviewed, all of them and no other. */
export function demandRules({ rules: pins = [] }: Surface, files: readonly PinnedRules[]): void {
  for (const { file, hash } of pins) {
    const found = files.find((each) => each.file === file);
    if (found?.hash !== hash)
      throw new StartError(`rules ${file} of surface.lock.json are not what was reviewed: ${REMEDY}`);
  }
  const extra = files.find(({ file }) => !pins.some((pin) => pin.file === file));
  if (extra !== undefined)
    throw new StartError(`rules ${extra.file} are not in surface.lock.json: ${REMEDY}`);
}
