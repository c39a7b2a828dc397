import type { Audit } from "#runtime/audit/audit";
import type { Call, Next, Outcome, Stage } from "#runtime/call/call";
import type { RateSettings, RateStore } from "#runtime/policy/rate-limits";
import type { PolicyGate } from "#runtime/policy/gate";
import type { Proposals } from "#runtime/approval/proposals";
import type { Redactor } from "#runtime/redactor";
import type { Rules } from "#runtime/rules";
import { auditAttempt } from "#runtime/stage/audit-attempt";
import { execute } from "#runtime/stage/execute";
import { fitBudget } from "#runtime/stage/fit-budget";
import { limitConcurrency } from "#runtime/stage/limit-concurrency";
import { limitRate } from "#runtime/stage/limit-rate";
import { noteArguments, noteCall } from "#runtime/stage/note-call";
import { redactOutcome } from "#runtime/stage/redact-outcome";
import { requireAllowedTool } from "#runtime/stage/require-allowed-tool";
import { requireApproval } from "#runtime/stage/require-approval";
import { requireGrant } from "#runtime/stage/require-grant";
import { requirePrincipal } from "#runtime/stage/require-principal";
import { requireSwitches } from "#runtime/stage/require-switches";
import { requireWriteFlag } from "#runtime/stage/require-write-flag";
import { survive } from "#runtime/stage/survive";
import { validateArguments } from "#runtime/stage/validate-arguments";
import type { Switches } from "#runtime/policy/switches";
import type { ToolIndex } from "#runtime/surface/tool-index";
import type { WriteFlags } from "#runtime/write-flags";

export interface PipelineParts {
  readonly flags: WriteFlags;
  readonly tools: ToolIndex;
  readonly switches: Switches;
  readonly policy: PolicyGate;
  readonly rates: RateStore;
  readonly rateSettings: RateSettings;
  readonly audit: Audit;
  readonly redactor: Redactor;
  readonly proposals: Proposals;
  readonly approvalForWrites: boolean;
  readonly maxResultBytes: number;
  /** Missing when no rules are drawn. */
  readonly rules?: Rules | undefined;
}

/**
 * The order of every tool call, on every transport. A call goes down the list until a stage answers; the
 * outcome comes back up through the stages that it passed, so what stands first has the last word.
 */
function stagesOf(parts: PipelineParts): readonly Stage[] {
  return [
    noteCall(parts.redactor),
    survive(parts.redactor),
    fitBudget(parts.maxResultBytes),
    redactOutcome(parts.redactor),
    requireSwitches(parts.switches),
    requirePrincipal,
    requireAllowedTool,
    requireWriteFlag(parts.flags),
    requireGrant(parts.policy, parts.tools),
    ...(parts.rules === undefined ? [] : [parts.rules.hide]),
    validateArguments,
    noteArguments(parts.redactor),
    ...(parts.rules === undefined ? [] : [parts.rules.enforce]),
    limitRate(parts.rates, parts.rateSettings),
    requireApproval(parts),
    auditAttempt(parts.audit),
    ...(parts.rules === undefined ? [] : [parts.rules.strip]),
    limitConcurrency(),
    execute(parts.redactor),
  ];
}

const endOfList: Next = async () => {
  throw new Error("the last stage passed the call on");
};

/** The stages as one function; it never throws. */
export function createPipeline(parts: PipelineParts): (call: Call) => Promise<Outcome> {
  return stagesOf(parts).reduceRight<Next>(
    (next, stage) => async (call) => await stage(call, next),
    endOfList,
  );
}
