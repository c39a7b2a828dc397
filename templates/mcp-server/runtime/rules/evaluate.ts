import { hash } from "node:crypto";
import { EFFECTS, LAYERS } from "#runtime/rules";
import type { Citation, RuleQuestion, Verdict } from "#runtime/rules";
import type { Condition } from "#runtime/rules/condition";
import type { Rule, RuleFile } from "#runtime/rules/document";
import { isOpen } from "#runtime/rules/window";

/** A rule with its condition ready to be asked. */
export interface ReadyRule extends Rule {
  readonly condition: Condition | undefined;
}

export interface Evaluator {
  readonly revision: string;
  readonly rules: readonly ReadyRule[];
  rulesOf(tool: string): readonly ReadyRule[];
  decide(question: RuleQuestion, now: Date): Verdict;
  /** Ids of the tool's rules whose conditions hold, and of those whose windows are open: facts for other engines. */
  factsFor(
    question: RuleQuestion,
    now: Date,
  ): { readonly conditions: readonly string[]; readonly open_windows: readonly string[] };
}

export function citationOf({ id, layer, file, line, version }: Rule): Citation {
  return { rule: id, layer, file, line, version };
}

const place = (rule: Rule): number =>
  EFFECTS.indexOf(rule.effect) * LAYERS.length + LAYERS.indexOf(rule.layer);

/** Whether a rule of this call can be lifted by that `allow`: only if it says so, and only from below. */
export function relaxes(allow: Pick<Rule, "layer">, rule: Pick<Rule, "layer" | "overridable">): boolean {
  return rule.overridable && LAYERS.indexOf(allow.layer) > LAYERS.indexOf(rule.layer);
}

function isMet(rule: Rule, { approved, changeRef }: RuleQuestion, now: Date): boolean {
  switch (rule.effect) {
    case "require_approval":
      return approved;
    case "require_change_ref":
      return changeRef !== undefined;
    case "change_window":
      return rule.window !== undefined && isOpen(rule.window, now);
    default:
      return false;
  }
}

export function createEvaluator(
  files: readonly RuleFile[],
  rules: readonly ReadyRule[],
  stack: { readonly name: string; readonly env: string | null },
): Evaluator {
  const digests = files.map(({ file, hash: digest }) => `${file} ${digest}\n`).join("");
  const revision = `sha256:${hash("sha256", digests, "hex")}`;
  const byTool = new Map<string, ReadyRule[]>();
  for (const rule of rules)
    for (const tool of rule.tools) byTool.set(tool, [...(byTool.get(tool) ?? []), rule]);
  const rulesOf = (tool: string): readonly ReadyRule[] => byTool.get(tool) ?? [];

  /** A condition that cannot be answered binds, and lifts nothing. */
  const holds = ({ condition, effect }: ReadyRule, question: RuleQuestion): boolean => {
    if (condition === undefined) return true;
    const { tool, args, principal, changeRef } = question;
    try {
      return condition({ stack, tool, args, principal, change_ref: changeRef ?? "" });
    } catch {
      return effect !== "allow";
    }
  };
  const heldBy = (question: RuleQuestion): readonly ReadyRule[] =>
    rulesOf(question.tool).filter((rule) => holds(rule, question));
  return {
    revision,
    rules,
    rulesOf,
    decide: (question, now) => {
      const held = heldBy(question);
      const allows = held.filter(({ effect }) => effect === "allow");
      const outcomeOf = (rule: Rule): Verdict["considered"][number]["outcome"] => {
        if (rule.effect === "allow") return "met";
        if (allows.some((allow) => relaxes(allow, rule))) return "relaxed";
        return isMet(rule, question, now) ? "met" : "unmet";
      };
      const outcomes = held.map((rule) => ({ rule, outcome: outcomeOf(rule) }));
      const unmet = outcomes.filter(({ outcome }) => outcome === "unmet").map(({ rule }) => rule);
      const [first] = unmet.toSorted((a, b) => place(a) - place(b));
      const decisive = first ?? allows[0] ?? outcomes.find(({ outcome }) => outcome === "met")?.rule;
      return {
        allow: first === undefined,
        effect: first?.effect ?? "allow",
        decided_by: decisive === undefined ? null : citationOf(decisive),
        considered: outcomes.map(({ rule: { id, effect }, outcome }) => ({ rule: id, effect, outcome })),
        policy_revision: revision,
        reason: decisive?.reason ?? "no rule says otherwise",
      };
    },
    factsFor: (question, now) => ({
      conditions: heldBy(question).flatMap(({ id, condition }) => (condition === undefined ? [] : [id])),
      open_windows: rulesOf(question.tool).flatMap(({ id, window }) =>
        window !== undefined && isOpen(window, now) ? [id] : [],
      ),
    }),
  };
}
