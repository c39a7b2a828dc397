/** Rules and calls by chance, and what the emitted evaluator says: other engines must say the same. */
import fc from "fast-check";
import type { RuleQuestion } from "#runtime/rules";
import { EFFECTS, LAYERS } from "#runtime/rules";
import { createEvaluator } from "#runtime/rules/evaluate";
import type { Evaluator, ReadyRule } from "#runtime/rules/evaluate";
import type { CompiledRule } from "../../hooks/rules/compiled.ts";

const TOOLS = ["cache_get", "cache_set", "db_query", "queue_purge"];
/** In the middle of a day that is open, so that the time of the run does not matter. */
export const NOW = new Date("2026-03-04T12:00:00Z");

const open = { days: ["wed"], from: "09:00", to: "17:00", timezone: "UTC" };
const closed = { ...open, days: ["thu"] };

export interface Case {
  readonly rules: readonly CompiledRule[];
  readonly questions: readonly RuleQuestion[];
}

const ruleArbitrary = fc.record({
  effect: fc.constantFrom(...EFFECTS),
  layer: fc.constantFrom(...LAYERS),
  tools: fc.subarray(TOOLS),
  when: fc.constantFrom(null, "big", "prod"),
  isOpen: fc.boolean(),
  overridable: fc.boolean(),
});

export const cases: fc.Arbitrary<Case> = fc
  .record({
    drawn: fc.array(ruleArbitrary, { minLength: 1, maxLength: 6 }),
    questions: fc.array(
      fc.record({
        tool: fc.constantFrom(...TOOLS, "unknown_tool"),
        args: fc.record({ big: fc.boolean(), prod: fc.boolean() }),
        changeRef: fc.constantFrom(undefined, "CHG-1"),
        approved: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ drawn, questions }) => ({
    rules: drawn
      .map(({ isOpen, ...rule }, at) => ({
        ...rule,
        id: `rule-${at}`,
        window: rule.effect === "change_window" ? (isOpen ? open : closed) : null,
        reason: "because",
        file: `rules/${rule.layer}.yaml`,
        line: at + 6,
      }))
      .sort((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer)),
    questions: questions.map((question) => ({
      ...question,
      principal: { id: "k", human: null, agent: null, team: null },
    })),
  }));

/** Conditions are plain functions here: engines get their results, not their text. */
export function evaluatorOf(rules: readonly CompiledRule[]): Evaluator {
  const ready = rules.map(({ when, window, ...rule }): ReadyRule => ({
    ...rule,
    ...(window === null ? {} : { window }),
    version: "1.0.0",
    condition:
      when === null ? undefined : ({ args }) => (args as Readonly<Record<string, unknown>>)[when] === true,
  }));
  return createEvaluator([], ready, { name: "stack", env: null });
}

export interface Answer {
  readonly allow: boolean;
  readonly rule: string | null;
  readonly unmet: readonly string[];
}

export function answerOf(evaluator: Evaluator, question: RuleQuestion): Answer {
  const { allow, decided_by: citation, considered } = evaluator.decide(question, NOW);
  const unmet = considered.filter(({ outcome }) => outcome === "unmet").map(({ rule }) => rule);
  return { allow, rule: allow ? null : (citation?.rule ?? null), unmet: unmet.sort() };
}

/** The question as the server puts it to an engine. */
export function inputOf(evaluator: Evaluator, question: RuleQuestion): Record<string, unknown> {
  const { changeRef, ...rest } = question;
  return { ...rest, change_ref: changeRef ?? "", ...evaluator.factsFor(question, NOW) };
}
