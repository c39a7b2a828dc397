import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { isBlock } from "../model/block.ts";
import type { Block } from "../model/block.ts";
import { RULE_EFFECTS, RULE_LAYERS } from "../model/rule-sets.ts";
import type { DrawnRule, RuleSet, RuleWindow } from "../model/rule-sets.ts";
import type { Path, Topology } from "../model/topology.ts";
import type { ReadDocument } from "./documents.ts";
import { readSource } from "./source.ts";
import type { Source } from "./source.ts";

/** Says what is wrong with one file, and in which line. */
type Fault = (problem: string, at: Path) => void;

const KEYS = {
  file: ["apiVersion", "kind", "metadata", "rules"],
  metadata: ["name", "layer", "version"],
  rule: ["id", "effect", "route", "match", "when", "window", "reason", "overridable"],
  match: ["side_effect", "services", "tools"],
  window: ["days", "from", "to", "timezone"],
} as const;
const SIDE_EFFECTS = ["read", "write", "destructive"];
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ID = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const GLOB = /^[A-Za-z0-9_*-]{1,128}$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;
const LONGEST_REASON = 300;
const MOST_RULES = 500;

function demandKeys(value: Block, known: readonly string[], fault: Fault, at: Path): void {
  for (const key of Object.keys(value))
    if (!known.includes(key))
      fault(`${quoted(key)} is not known here: there is ${known.join(", ")}`, [...at, key]);
}

function words(
  value: unknown,
  isWord: (word: string) => boolean,
  says: string,
  fault: Fault,
  at: Path,
): readonly string[] {
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const found = list.filter((word): word is string => typeof word === "string" && isWord(word));
  if (list.length === 0 || found.length < list.length)
    fault(`${String(at.at(-1))} must be a list of ${says}`, at);
  return found;
}

function oneOf<const V extends string>(
  value: unknown,
  choices: readonly V[],
  fault: Fault,
  at: Path,
): V | undefined {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) fault(`${String(at.at(-1))} must be one of ${choices.join(", ")}`, at);
  return found;
}

/** Its shape; the server says at its start when it knows no such zone. */
const TIMEZONE = /^[A-Z][A-Za-z]*([_+-]?[A-Za-z0-9]+)*(\/[A-Z][A-Za-z0-9_+-]*){0,2}$/;

function windowOf(value: unknown, fault: Fault, at: Path): RuleWindow | null {
  if (!isBlock(value)) {
    fault("a change_window needs window: {days, from, to, timezone}", at);
    return null;
  }
  demandKeys(value, KEYS.window, fault, at);
  const { from, to, timezone = "UTC" } = value;
  const days = words(value["days"] ?? DAYS, (day) => DAYS.includes(day), `days: ${DAYS.join(", ")}`, fault, [
    ...at,
    "days",
  ]);
  if (
    typeof from !== "string" ||
    typeof to !== "string" ||
    !TIME.test(from) ||
    !TIME.test(to) ||
    from === to
  ) {
    fault('from and to must be two times such as "09:00", quoted', at);
    return null;
  }
  if (typeof timezone !== "string" || !TIMEZONE.test(timezone)) {
    fault("timezone must be a name such as Europe/Berlin", [...at, "timezone"]);
    return null;
  }
  return { days: DAYS.filter((day) => days.includes(day)), from, to, timezone };
}

function matchOf(value: unknown, fault: Fault, at: Path): DrawnRule["match"] {
  const block = isBlock(value) ? value : {};
  if (value !== undefined && !isBlock(value))
    fault("match must be a map of side_effect, services, tools", at);
  demandKeys(block, KEYS.match, fault, at);
  const list = (key: string, isWord: (word: string) => boolean, says: string): readonly string[] =>
    words(block[key], isWord, says, fault, [...at, key]);
  return {
    sideEffects: list("side_effect", (word) => SIDE_EFFECTS.includes(word), SIDE_EFFECTS.join(", ")),
    services: list(
      "services",
      (word) => GLOB.test(word),
      "names of components or types; * stands for anything",
    ),
    tools: list("tools", (word) => GLOB.test(word), "names of tools; * stands for anything"),
  };
}

async function conditionFault(when: string): Promise<string | undefined> {
  const { compileCondition } = await import("#runtime/rules/condition");
  try {
    compileCondition(when, "");
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message.replace(/^: /, "") : String(cause);
  }
}

async function ruleOf(value: unknown, fault: Fault, at: Path): Promise<DrawnRule | undefined> {
  if (!isBlock(value)) return void fault("a rule is a map with id, effect, match and reason", at);
  demandKeys(value, KEYS.rule, fault, at);
  const { id, reason, when = null, overridable = false, route } = value;
  const effect = oneOf(value["effect"], RULE_EFFECTS, fault, [...at, "effect"]);
  if (typeof id !== "string" || !ID.test(id))
    return void fault("id must be words of a-z and 0-9 with - between", [...at, "id"]);
  if (
    typeof reason !== "string" ||
    reason.trim() === "" ||
    reason.length > LONGEST_REASON ||
    /[\n\r]/.test(reason)
  )
    return void fault(
      `rule ${id}: reason must be one line of at most ${LONGEST_REASON} characters; people and AI read it`,
      [...at, "reason"],
    );
  if (effect === "route" && route !== "gitops") fault(`rule ${id}: an effect route needs route: gitops`, at);
  if (effect !== "route" && route !== undefined)
    fault(`rule ${id}: route belongs to the effect route`, [...at, "route"]);
  if (effect !== "change_window" && value["window"] !== undefined)
    fault(`rule ${id}: window belongs to the effect change_window`, [...at, "window"]);
  if (typeof overridable !== "boolean")
    fault(`rule ${id}: overridable must be true or false`, [...at, "overridable"]);
  if (when !== null && typeof when !== "string")
    fault(`rule ${id}: when must be a condition in CEL`, [...at, "when"]);
  else if (when !== null) {
    const problem = await conditionFault(when);
    if (problem !== undefined) fault(`rule ${id}: ${problem}`, [...at, "when"]);
  }
  return {
    id,
    effect: effect ?? "deny",
    match: matchOf(value["match"], fault, [...at, "match"]),
    when: typeof when === "string" ? when : null,
    window: effect === "change_window" ? windowOf(value["window"], fault, [...at, "window"]) : null,
    reason: reason.trim(),
    overridable: overridable === true,
  };
}

async function ruleSetOf(value: unknown, fault: Fault): Promise<RuleSet | undefined> {
  if (!isBlock(value) || value["apiVersion"] !== "governance/v1" || value["kind"] !== "RuleSet")
    return void fault("a file of rules begins with apiVersion: governance/v1 and kind: RuleSet", []);
  demandKeys(value, KEYS.file, fault, []);
  const { metadata, rules } = value;
  if (!isBlock(metadata)) return void fault("metadata must have name, layer and version", ["metadata"]);
  demandKeys(metadata, KEYS.metadata, fault, ["metadata"]);
  const layer = oneOf(metadata["layer"], RULE_LAYERS, fault, ["metadata", "layer"]);
  const { name, version } = metadata;
  if (typeof name !== "string" || !ID.test(name))
    return void fault("metadata.name must be words of a-z and 0-9 with - between", ["metadata"]);
  if (typeof version !== "string" || !/^\d+\.\d+\.\d+$/.test(version))
    return void fault("metadata.version must be three numbers such as 1.0.0", ["metadata"]);
  if (!Array.isArray(rules) || rules.length > MOST_RULES)
    return void fault(`rules must be a list of at most ${MOST_RULES}`, ["rules"]);
  const found: DrawnRule[] = [];
  for (const [at, rule] of rules.entries()) {
    const one = await ruleOf(rule, fault, ["rules", at]);
    if (one !== undefined) found.push(one);
  }
  return layer === undefined ? undefined : { name, layer, version, rules: found, replaces: [] };
}

interface Loaded {
  readonly set: RuleSet | undefined;
  readonly faults: readonly string[];
}

async function readRuleSet(file: string, read: ReadDocument): Promise<Loaded> {
  const bytes = read(file);
  if ("problem" in bytes) return { set: undefined, faults: [`${quoted(file)} ${bytes.problem}`] };
  const result = await readSource(file, bytes);
  if (!result.ok)
    return {
      set: undefined,
      faults: result.diagnostics.map(({ at, message }) => `${file}:${at.line}: ${message}`),
    };
  const { source } = result;
  const found: { problem: string; at: Path }[] = [];
  const set = await ruleSetOf(source.value, (problem, at) => void found.push({ problem, at }));
  return { set, faults: await withLines(file, source, found) };
}

async function withLines(
  file: string,
  source: Source,
  found: readonly { readonly problem: string; readonly at: Path }[],
): Promise<readonly string[]> {
  const places = await source.positionsOf(found.map(({ at: path }) => ({ path })));
  return found.map(({ problem }, at) => `${file}:${places[at]?.line ?? 1}: ${problem}`);
}

/** One file after the other, the higher layer first; a rule that is replaced is gone. */
function merge(sets: readonly RuleSet[], fault: (problem: string) => void): readonly RuleSet[] {
  const ordered = RULE_LAYERS.flatMap((layer) => sets.filter((set) => set.layer === layer));
  const owners = new Map<string, { readonly set: RuleSet; readonly rule: DrawnRule }>();
  const replaced = new Map<RuleSet, { rule: string; of: string }[]>();
  const gone = new Set<DrawnRule>();
  for (const set of ordered) {
    for (const rule of set.rules) {
      const before = owners.get(rule.id);
      owners.set(rule.id, { set, rule });
      if (rule.effect === "allow" && set.layer === "constitution")
        fault(
          `rule ${rule.id}: an allow lifts rules of a higher layer, and there is none above the constitution`,
        );
      if (before === undefined) continue;
      if (before.set.layer === set.layer) fault(`rule ${rule.id} is there twice in the layer ${set.layer}`);
      else if (!before.rule.overridable)
        fault(
          `rule ${rule.id} of the ${before.set.layer} is not overridable, so the ${set.layer} cannot replace it: give the stricter rule another id`,
        );
      gone.add(before.rule);
      replaced.set(set, [...(replaced.get(set) ?? []), { rule: rule.id, of: before.set.name }]);
    }
  }
  return ordered.map((set) => ({
    ...set,
    rules: set.rules.filter((rule) => !gone.has(rule)),
    replaces: replaced.get(set) ?? [],
  }));
}

const PATH = ["components", "mcp", "rules"];

/** Reads each file once for all environments. */
export function createRuleReader(
  read: ReadDocument,
): (topology: Topology, report: Report) => Promise<readonly RuleSet[]> {
  const known = new Map<string, Promise<Loaded>>();
  return async ({ server }, report) => {
    const sets: RuleSet[] = [];
    for (const [at, file] of server.rules.entries()) {
      if (!known.has(file)) known.set(file, readRuleSet(file, read));
      const { set, faults } = (await known.get(file)) ?? { set: undefined, faults: [] };
      for (const problem of faults) report("E-RULES", problem, [...PATH, at]);
      if (set !== undefined) sets.push(set);
    }
    const twice = sets.find(
      (set, at) => sets.findIndex(({ layer, name }) => layer === set.layer && name === set.name) < at,
    );
    if (twice !== undefined) report("E-RULES", `two files are the ${twice.layer} ${twice.name}`, PATH);
    return merge(sets, (problem) => report("E-RULES", problem, PATH));
  };
}
