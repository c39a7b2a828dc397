import type { Audit } from "#runtime/audit/audit";
import { outcomeOf } from "#runtime/approval/awaited";
import { entryOf, refuse } from "#runtime/call/call";
import type { Arguments, Call, Next, Outcome, Stage } from "#runtime/call/call";
import { ToolFault } from "#runtime/fault";
import { digestOfCall } from "#runtime/approval/proposals";
import type { Proposals } from "#runtime/approval/proposals";
import type { StoredProposal } from "#runtime/approval/proposal";
import type { Redactor } from "#runtime/redactor";
import type { Access, AllowedTool } from "#runtime/registry";
import { recordAttempt } from "#runtime/stage/audit-attempt";
import type { Tool } from "#runtime/tool";

const NARROWEST_FIRST: readonly Access[] = ["read", "propose", "write"];

/** The access of the targets that the arguments name; the narrowest when they name several, or none. */
export function accessOf(allowed: AllowedTool, args: Arguments): Access {
  const { target } = allowed;
  if (target === undefined) return allowed.access;
  const given = args[target.parameter];
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const words = names.map((name) =>
    typeof name === "string" && Object.hasOwn(target.access, name) ? target.access[name] : "read",
  );
  return NARROWEST_FIRST.find((word) => words.includes(word)) ?? "read";
}

/** The tool's own promise that nothing changes. */
function hasDryRun({ inputSchema }: Tool): boolean {
  const { properties } = inputSchema;
  return typeof properties === "object" && properties !== null && Object.hasOwn(properties, "dry_run");
}

/** What a person decides by: the arguments, and what the tool itself says would happen. */
async function previewOf(call: Call, next: Next, redactor: Redactor): Promise<unknown> {
  const { tool, link } = entryOf(call);
  const args = redactor.value(call.args).value;
  const seen = { tool: tool.name, link: link.id, effect: tool.effect, arguments: args };
  if (!hasDryRun(tool)) return seen;
  const outcome = await next({ ...call, args: { ...call.args, dry_run: true } });
  if (outcome.kind === "unknown") return seen;
  const dryRun = outcome.kind === "result" ? outcome.envelope.data : outcome.fault;
  return { ...seen, dry_run: redactor.value(dryRun).value };
}

/** What is over since an earlier round of this call, or is being executed: neither is proposed again. */
async function earlier(call: Call, { proposals }: ApprovalParts): Promise<Outcome | undefined> {
  if (call.awaits === undefined) return undefined;
  const proposal = await proposals.store.get(call.awaits.proposal_id);
  const over = outcomeOf(call, digestOfCall(entryOf(call), call.args), call.awaits, proposal);
  return over ?? (proposal?.state === "executing" ? waitFor(call, proposal) : undefined);
}

function waitFor(call: Call, proposal: StoredProposal): Outcome {
  const { proposal_id, argsSha, expires_at, tool, state } = proposal;
  call.exchange.note({ proposal: proposal_id });
  const fault = {
    code: "approval_required",
    message:
      state === "executing"
        ? `${tool} is being executed as proposal ${proposal_id}`
        : `${tool} needs a person's approval; nothing was executed`,
    hint: `ask an approver of this stack to decide about proposal ${proposal_id}; a person executes it, not you`,
    proposal_id,
    argsSha,
    expires_at,
  } as const;
  return { kind: "fault", decision: "deny", fault, waits: proposal };
}

async function propose(call: Call, next: Next, parts: ApprovalParts): Promise<Outcome> {
  const { proposals, redactor, audit } = parts;
  const over = await earlier(call, parts);
  if (over !== undefined) return over;
  // What somebody may execute later must be on record now, as what is executed at once is.
  const unrecorded = await recordAttempt(audit, call);
  if (unrecorded !== undefined) return unrecorded;
  try {
    return waitFor(call, await proposals.propose(call, await previewOf(call, next, redactor)));
  } catch (problem) {
    if (problem instanceof ToolFault) {
      const { code, message, hint } = problem;
      return refuse({ code, message, ...(hint === undefined ? {} : { hint }) });
    }
    if (!(problem instanceof Error && "code" in problem)) throw problem;
    return refuse({
      code: "audit_unavailable",
      message: "the proposal could not be recorded; nothing was executed",
      hint: "tell the operator that proposals cannot be kept",
    });
  }
}

export interface ApprovalParts {
  readonly proposals: Proposals;
  /** Whether every write needs a person's approval, also where the drawing says write. */
  readonly approvalForWrites: boolean;
  readonly redactor: Redactor;
  readonly audit: Audit;
}

/**
 * A write whose target was drawn with `propose` waits for a person, whatever the flags say: the call becomes a
 * proposal, and nothing has been executed when this answers. A dry run changes nothing and waits for nobody.
 */
export function requireApproval(parts: ApprovalParts): Stage {
  return async (call, next) => {
    const { writes, allowed, tool } = entryOf(call);
    if (!writes && call.mustApprove === undefined && call.intent === "propose")
      return refuse({
        code: "invalid_argument",
        message: `${tool.name} changes nothing, so it needs no approval`,
      });
    // A later round stays with its proposal, also where the same call would run directly by now: it may have been executed.
    const isRound = call.awaits !== undefined;
    if (!writes && call.mustApprove === undefined && !isRound) return await next(call);
    const access = allowed === undefined ? "read" : accessOf(allowed, call.args);
    if (writes && access === "read") {
      return refuse({
        code: "denied",
        message: `${tool.name} may not change this target`,
        hint: "it was drawn for reading",
      });
    }
    if (call.intent === "execute") return await next(call);
    const isDryRun = hasDryRun(tool) && call.args["dry_run"] === true;
    const isDirect =
      isDryRun || (access === "write" && !parts.approvalForWrites && call.mustApprove === undefined);
    return isDirect && call.intent === undefined && !isRound
      ? await next(call)
      : await propose(call, next, parts);
  };
}
