import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerOf, cases, evaluatorOf, inputOf } from "../../test/harness/random-rules.ts";
import { cedarText } from "./policy-text.ts";

/** The policies by the ids that the text gives them. */
function policiesIn(text: string): Record<string, string> {
  const parts = text.split(/^(?=@id)/m).slice(1);
  return Object.fromEntries(parts.map((part) => [/@id\("([^"]+)"\)/.exec(part)?.[1] ?? "", part]));
}

function ask(text: string, input: Record<string, unknown>): { allow: boolean; unmet: readonly string[] } {
  const { tool, approved, change_ref, conditions, open_windows } = input;
  const answer = cedar.isAuthorized({
    principal: { type: "Principal", id: "k" },
    action: { type: "Action", id: "call" },
    resource: { type: "Tool", id: tool as string },
    context: { approved, change_ref, conditions, open_windows } as never,
    policies: { staticPolicies: policiesIn(text) },
    entities: [],
  });
  if (answer.type !== "success") throw new Error(JSON.stringify(answer));
  const { decision, diagnostics } = answer.response;
  expect(diagnostics.errors).toEqual([]);
  const allow = decision === "allow";
  return { allow, unmet: allow ? [] : diagnostics.reason.toSorted() };
}

describe("the policies of Cedar", () => {
  it("T11: decide as the server does, and cite the same rules", () => {
    fc.assert(
      fc.property(cases, ({ rules, questions }) => {
        const evaluator = evaluatorOf(rules);
        const text = cedarText(rules);
        for (const question of questions) {
          const { allow, unmet } = answerOf(evaluator, question);
          expect(ask(text, inputOf(evaluator, question))).toEqual({ allow, unmet });
        }
      }),
      { numRuns: 300 },
    );
  });
});
