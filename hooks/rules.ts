import { hash } from "node:crypto";
import { defineHook } from "#hook";
import type { Generation, LinkModule, Topology } from "#hook";
import { cedarText, regoText } from "./rules/policy-text.ts";
import type { CompiledRule, RuleFileFacts } from "./rules/compiled.ts";

type RuleSet = Topology["ruleSets"][number];
type DrawnRule = RuleSet["rules"][number];
type CompiledTool = LinkModule["tools"][number];

/** Lines before the first rule: the header, and what `textOf` writes above the list. */
const LINES_BEFORE = 5;

function matchesGlob(text: string, globs: readonly string[]): boolean {
  if (globs.length === 0) return true;
  return globs.some((glob) => {
    const pattern = glob
      .split("*")
      .map((part) => part.replace(/[^A-Za-z0-9_]/g, "\\$&"))
      .join(".*");
    return new RegExp(`^${pattern}$`).test(text);
  });
}

const SIDE_EFFECTS: Readonly<Record<string, string>> = { additive: "write", destructive: "destructive" };

function isMatch({ match }: DrawnRule, { link }: LinkModule, tool: CompiledTool): boolean {
  const { sideEffects, services, tools } = match;
  const sideEffect = SIDE_EFFECTS[tool.effect] ?? "read";
  if (sideEffects.length > 0 && !sideEffects.includes(sideEffect)) return false;
  const { name, type } = link.component;
  return (matchesGlob(name, services) || matchesGlob(type, services)) && matchesGlob(tool.name, tools);
}

/** Every tool that the rule is about, by name: nobody has to work out at the call what a pattern means. */
function toolsOf(rule: DrawnRule, { links }: Generation): readonly string[] {
  return links
    .flatMap((module) => module.tools.filter((tool) => isMatch(rule, module, tool)).map(({ name }) => name))
    .sort();
}

function lineOf({ id, effect, tools, when, window, reason, overridable }: CompiledRule): string {
  const rest = { ...(when === null ? {} : { when }), ...(window === null ? {} : { window }) };
  return `  - ${JSON.stringify({ id, effect, tools, ...rest, reason, overridable })}`;
}

function textOf({ name, layer, version }: RuleSet, rules: readonly CompiledRule[]): string {
  const lines = [
    "apiVersion: governance/v1",
    "kind: RuleSet",
    `metadata: ${JSON.stringify({ name, layer, version })}`,
    rules.length === 0 ? "rules: []" : "rules:",
    ...rules.map(lineOf),
  ];
  return `${lines.join("\n")}\n`;
}

function fileOf(set: RuleSet, generation: Generation): RuleFileFacts {
  const { name, layer, version, replaces } = set;
  const file = `rules/${name === layer ? layer : `${layer}-${name}`}.yaml`;
  const rules = set.rules.map(({ match: _match, ...rule }, at): CompiledRule => ({
    ...rule,
    tools: toolsOf(set.rules[at] ?? { ...rule, match: _match }, generation),
    layer,
    file,
    line: LINES_BEFORE + at + 1,
  }));
  const text = textOf(set, rules);
  return { file, name, layer, version, replaces, rules, text, hash: `sha256:${hash("sha256", text, "hex")}` };
}

/** The drawn rules as data: what each is about, and the same decisions for other policy engines. */
export default defineHook({
  name: "rules",
  derive: ({ ruleSets }, _facts, generation) => {
    const files = ruleSets.map((set) => fileOf(set, generation));
    const rules = files.flatMap(({ rules: own }) => own);
    const taking = rules.filter(({ effect }) => effect === "require_change_ref");
    return {
      files,
      rules,
      hasConditions: rules.some(({ when }) => when !== null),
      /** Tools whose calls may name a change record. */
      changeRefTools: [...new Set(taking.flatMap(({ tools }) => tools))].sort(),
      rego: regoText(rules),
      cedar: cedarText(rules),
    };
  },
});
