import { fail, refuse } from "#runtime/call/call";
import type { Call, Outcome } from "#runtime/call/call";
import type { Envelope, Fault } from "#runtime/call/envelope";
import type { AwaitedProposal } from "#runtime/call/waiting";
import type { StoredProposal } from "#runtime/approval/proposal";

/** What became of the proposal that a call goes on waiting for; `undefined` where that is one to make, or to wait for. */
export function outcomeOf(
  call: Call,
  argsSha: string,
  awaited: AwaitedProposal,
  proposal: StoredProposal | undefined,
): Outcome | undefined {
  const isOfCall =
    awaited.tool === call.name &&
    awaited.argsSha === argsSha &&
    (proposal === undefined ||
      (proposal.proposer.id === call.principal?.id &&
        proposal.tool === call.name &&
        proposal.argsSha === argsSha));
  if (!isOfCall)
    return refuse({
      code: "invalid_argument",
      message: "the state of this request is that of another call; nothing was executed",
      hint: "call again without it",
    });
  if (proposal === undefined) return undefined;
  const { proposal_id: id, state, result, approved_by: approvedBy } = proposal;
  call.exchange.note({ proposal: id, ...(approvedBy === undefined ? {} : { approvedBy }) });
  if (state === "rejected")
    return refuse({ code: "denied", message: `proposal ${id} was rejected; nothing was executed` });
  if (state !== "executed" || result === undefined) return undefined;
  call.exchange.note({ replayed: true });
  return result.ok ? { kind: "result", envelope: result.answer as Envelope } : fail(result.answer as Fault);
}
