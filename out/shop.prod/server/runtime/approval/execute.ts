import type { Call, Outcome } from "#runtime/call/call";
import { toolDigest } from "#runtime/digest";
import type { Exchange } from "#runtime/call/exchange";
import type { Principal } from "#runtime/identity/identity";
import type { InFlight } from "#runtime/call/in-flight";
import { markerBy } from "#runtime/marker";
import type { PolicyGate } from "#runtime/policy/gate";
import { isExpired } from "#runtime/approval/proposal";
import type { ProposalResult, StoredProposal } from "#runtime/approval/proposal";
import { digestOfCall, refuseApproval } from "#runtime/approval/proposals";
import type { Proposals } from "#runtime/approval/proposals";
import type { ToolEntry, ToolIndex } from "#runtime/surface/tool-index";

export interface ExecutionParts {
  readonly proposals: Proposals;
  readonly tools: ToolIndex;
  readonly policy: Pick<PolicyGate, "revision">;
  readonly pipeline: (call: Call) => Promise<Outcome>;
  readonly inFlight: InFlight;
  /** The proposer as its key has it now; `undefined` once the key is gone. */
  readonly current: (proposer: Principal) => Principal | undefined;
}

/** What the caller wants executed: by the proposal's id, or by the call that it stands for. */
export interface ExecutionRequest {
  readonly proposal_id?: string;
  readonly provider?: string;
  readonly tool?: string;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly argsSha: string;
}

export type Executed =
  | { readonly proposal: StoredProposal; readonly result: ProposalResult; readonly replayed: boolean }
  /** A guard said no at the last moment: nothing was executed, and the approval is still good. */
  | { readonly refused: Outcome };

/** Longer than any call may take: what is not over by then was cut off. */
const LONGEST_MS = 90_000;
const POLL_MS = 25;

async function proposalOf({ proposals }: ExecutionParts, ask: ExecutionRequest): Promise<StoredProposal> {
  const { proposal_id: id, provider, tool, argsSha } = ask;
  const named = id === undefined ? undefined : await proposals.store.get(id);
  const found =
    id === undefined
      ? (await proposals.store.all()).findLast(
          (each) => each.argsSha === argsSha && each.tool === tool && each.provider === provider,
        )
      : named;
  return found ?? refuseApproval("unknown_proposal");
}

/** The digest of what was sent, with the defaults that the tool adds, when a call was sent along. */
function demandSameCall({ tools }: ExecutionParts, ask: ExecutionRequest): void {
  if (ask.args === undefined || ask.tool === undefined) return;
  const entry = tools.find(ask.tool);
  const args = structuredClone(ask.args);
  if (entry === undefined || !entry.validate(args)) return refuseApproval("args_sha_mismatch");
  if (digestOfCall(entry, args) !== ask.argsSha) refuseApproval("args_sha_mismatch");
}

/** Everything that was true when it was approved must still be. */
function demandFresh({ policy, tools }: ExecutionParts, proposal: StoredProposal): ToolEntry {
  const entry = tools.find(proposal.tool);
  if (entry === undefined || toolDigest(entry.tool) !== proposal.tool_pin)
    return refuseApproval("stale_proposal");
  if (policy.revision() !== proposal.policy_revision) refuseApproval("stale_proposal");
  return entry;
}

/** Waits for whoever executes it; after a crash nobody does, and nobody knows what happened. */
async function outcomeElsewhere({ proposals }: ExecutionParts, id: string): Promise<Executed> {
  for (;;) {
    const proposal = await proposals.store.get(id);
    if (proposal?.state === "executed" && proposal.result !== undefined)
      return { proposal, result: proposal.result, replayed: true };
    if (proposal?.state !== "executing") return refuseApproval("not_approved");
    const since = Date.parse(proposal.executing_since ?? "");
    if (!(Date.now() - since < LONGEST_MS)) refuseApproval("execution_unknown");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function run(
  parts: ExecutionParts,
  proposal: StoredProposal,
  entry: ToolEntry,
  proposer: Principal,
  exchange: Exchange,
): Promise<Executed> {
  const { proposal_id: id, tool: name, args, argsSha, approved_by: approvedBy = "" } = proposal;
  const marker = markerBy(argsSha, approvedBy);
  const { store } = parts.proposals;
  // Whoever asked may leave: what a person approved is not undone half way.
  const patient = new AbortController().signal;
  const outcome = await exchange.during(
    async () =>
      await parts.inFlight.run(patient, exchange.answered, async (signal) =>
        parts.pipeline({
          exchange,
          principal: proposer,
          name,
          entry,
          args,
          signal,
          intent: "execute",
          marker,
        }),
      ),
  );
  if (outcome.kind === "unknown" || (outcome.kind === "fault" && outcome.decision === "deny")) {
    await store.move(id, "executing", { state: "approved" });
    return { refused: outcome };
  }
  const isDone = outcome.kind === "result";
  const result: ProposalResult = { ok: isDone, answer: isDone ? outcome.envelope : outcome.fault };
  await store.move(id, "executing", { state: "executed", result });
  return { proposal: { ...proposal, state: "executed" }, result, replayed: false };
}

/** Executes an approved proposal once; later and parallel requests get the first result. */
export async function executeProposal(
  parts: ExecutionParts,
  ask: ExecutionRequest,
  by: Principal,
  exchange: Exchange,
): Promise<Executed> {
  if (by.role !== "admin") refuseApproval("role_not_allowed");
  demandSameCall(parts, ask);
  const proposal = await proposalOf(parts, ask);
  const { proposal_id: id, state, approved_by: approvedBy, argsSha, result, tool } = proposal;
  exchange.note({ tool, proposal: id, ...(approvedBy === undefined ? {} : { approvedBy }) });
  if (argsSha !== ask.argsSha) refuseApproval("args_sha_mismatch");
  if (state === "executed" && result !== undefined) {
    exchange.note({ replayed: true });
    return { proposal, result, replayed: true };
  }
  if (state === "executing") return await outcomeElsewhere(parts, id);
  const entry = demandFresh(parts, proposal);
  if (isExpired(proposal, Date.now())) refuseApproval("proposal_expired");
  if (state === "rejected") refuseApproval("proposal_rejected");
  if (state !== "approved") refuseApproval("not_approved");
  const proposer = parts.current(proposal.proposer) ?? refuseApproval("proposer_gone");
  const claim = { state: "executing", executing_since: new Date().toISOString() } as const;
  const claimed = await parts.proposals.store.move(id, "approved", claim);
  if (claimed === undefined) return await outcomeElsewhere(parts, id);
  return await run(parts, proposal, entry, proposer, exchange);
}
