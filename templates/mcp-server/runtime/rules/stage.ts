import { entryOf, refuse } from "#runtime/call/call";
import type { Call, Outcome, Stage } from "#runtime/call/call";
import type { FaultCode } from "#runtime/fault";
import { CHANGE_REF } from "#runtime/rules";
import type { RuleEffect, RuleQuestion, Verdict } from "#runtime/rules";
import type { Evaluator } from "#runtime/rules/evaluate";
import { askOpa } from "#runtime/rules/opa";
import { patchOf } from "#runtime/rules/patch";
import { windowText } from "#runtime/rules/window";

export interface StageParts {
  readonly evaluator: Evaluator;
  readonly stack: { readonly name: string; readonly env: string | null };
  readonly opa: URL | undefined;
  hides(tool: string): boolean;
  takesChangeRef(tool: string): boolean;
}

const CODES: Readonly<Record<Exclude<RuleEffect, "allow" | "require_approval">, FaultCode>> = {
  deny: "denied",
  route: "gitops_required",
  require_change_ref: "change_ref_required",
  change_window: "outside_change_window",
};

/** The arguments that the tool itself takes, and the change record that we ask for beside them. */
function splitArguments(call: Call, parts: StageParts): Pick<RuleQuestion, "args" | "changeRef"> {
  if (!parts.takesChangeRef(entryOf(call).tool.name)) return { args: call.args, changeRef: undefined };
  const { [CHANGE_REF]: changeRef, ...args } = call.args;
  return { args, changeRef: typeof changeRef === "string" ? changeRef : undefined };
}

function questionOf(call: Call, parts: StageParts): RuleQuestion {
  const { id = "", human = null, agent = null, team = null } = call.principal ?? {};
  return {
    tool: entryOf(call).tool.name,
    ...splitArguments(call, parts),
    principal: { id, human, agent, team },
    approved: false,
  };
}

function hintOf(effect: RuleEffect, rule: string, { evaluator }: StageParts): string {
  const window = evaluator.rules.find(({ id }) => id === rule)?.window;
  if (effect === "change_window" && window !== undefined) return `call again ${windowText(window)}`;
  if (effect === "require_change_ref")
    return `ask a person for the id of the change record, and give it as ${CHANGE_REF}`;
  return effect === "route"
    ? "give the patch to a person, who reviews and applies it"
    : "tell a person that a rule forbids this";
}

function refusalOf(call: Call, verdict: Verdict, question: RuleQuestion, parts: StageParts): Outcome {
  const { effect, decided_by: citation, reason } = verdict;
  if (citation === null || effect === "allow" || effect === "require_approval")
    throw new Error("a refusal without a rule");
  const { rule, layer, file, line } = citation;
  const { link, tool } = entryOf(call);
  const { name, env } = parts.stack;
  const change = { stack: name, environment: env, link: link.id, component: link.component, tool: tool.name };
  const requestedBy = question.principal.human ?? question.principal.agent ?? question.principal.id ?? "";
  const patch =
    effect === "route" ? patchOf({ ...change, args: question.args, rule, requestedBy }) : undefined;
  return refuse({
    code: CODES[effect],
    message: `${reason} (rule ${rule} of the ${layer}, ${file}:${line}); nothing was executed`,
    hint: hintOf(effect, rule, parts),
    ...(patch === undefined ? {} : { patch }),
  });
}

/** What the native rules let pass is also put to the engine beside the server, when there is one. */
async function askEngine(
  call: Call,
  question: RuleQuestion,
  parts: StageParts,
): Promise<Outcome | undefined> {
  if (parts.opa === undefined) return undefined;
  const { changeRef, approved: _approved, ...rest } = question;
  const answer = await askOpa(parts.opa, {
    ...rest,
    stack: parts.stack,
    change_ref: changeRef ?? "",
    // Approval comes after the rules, and is not for the engine to wait for.
    approved: true,
    ...parts.evaluator.factsFor(question, new Date()),
  });
  if (answer === "allowed") return undefined;
  call.exchange.note({ engine: answer });
  return refuse({
    code: answer === "policy_denied" ? "denied" : "policy_unavailable",
    message: "the policy engine did not allow this call; nothing was executed",
    hint:
      answer === "policy_denied"
        ? "tell a person that a policy forbids this"
        : "tell the operator that the policy engine does not answer",
  });
}

/** A tool that no arguments would make permissible does not exist for anybody. */
export function hideTools(parts: StageParts): Stage {
  return async (call, next) => {
    if (!parts.hides(entryOf(call).tool.name)) return await next(call);
    const question = { ...questionOf(call, parts), args: {} };
    call.exchange.note({ verdict: parts.evaluator.decide(question, new Date()) });
    return { kind: "unknown", reason: "rule_denied" };
  };
}

/** Asks the rules about every call. A call that a rule wants approved goes on, marked. */
export function enforceRules(parts: StageParts): Stage {
  const { evaluator } = parts;
  return async (call, next) => {
    const question = questionOf(call, parts);
    const verdict = evaluator.decide(question, new Date());
    const { changeRef } = question;
    call.exchange.note({ verdict, ...(changeRef === undefined ? {} : { changeRef }) });
    const needsApproval = verdict.effect === "require_approval";
    if (!verdict.allow && !needsApproval) return refusalOf(call, verdict, question, parts);
    const refused = await askEngine(call, question, parts);
    if (refused !== undefined) return refused;
    const mustApprove = needsApproval ? verdict.decided_by?.rule : undefined;
    return await next(mustApprove === undefined ? call : { ...call, mustApprove });
  };
}

/** What is approved and recorded names the change record; the tool itself knows nothing of it. */
export function stripChangeRef(parts: StageParts): Stage {
  return async (call, next) => await next({ ...call, args: splitArguments(call, parts).args });
}
