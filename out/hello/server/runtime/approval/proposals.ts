import { entryOf } from "#runtime/call/call";
import type { Arguments, Call } from "#runtime/call/call";
import { argumentsDigest, toolDigest } from "#runtime/digest";
import { ToolFault } from "#runtime/fault";
import type { Principal } from "#runtime/identity/identity";
import { markerOf } from "#runtime/marker";
import { isExpired, isOpen, newProposalId, ttlOf } from "#runtime/approval/proposal";
import type { StoredProposal } from "#runtime/approval/proposal";
import type { ProposalStore } from "#runtime/approval/store";
import type { ApprovalReason } from "#runtime/reason";
import type { ToolEntry } from "#runtime/surface/tool-index";

/** A rule that stands in the way of a proposal. */
export class ApprovalRefusal extends Error {
  readonly reason: ApprovalReason;

  constructor(reason: ApprovalReason) {
    super(reason);
    this.name = "ApprovalRefusal";
    this.reason = reason;
  }
}

/** As much as one caller may have waiting, and all of them together. */
const MOST_OF_ONE = 50;
const MOST = 1_000;

export function refuseApproval(reason: ApprovalReason): never {
  throw new ApprovalRefusal(reason);
}

export function digestOfCall(entry: ToolEntry, args: Arguments): string {
  return argumentsDigest(entry.link.component, entry.tool.name, args);
}

export interface Proposals {
  readonly store: ProposalStore;
  /**
   * Side-effect-free. The same call of the same caller is the same proposal while it is open; too many are a ToolFault.
   */
  propose(call: Call, preview: unknown): Promise<StoredProposal>;
  /** The proposal, if it can still be decided about or executed. */
  find(id: string): Promise<StoredProposal>;
  /** Approves or rejects, as somebody who may. */
  decide(id: string, by: Principal, state: "approved" | "rejected"): Promise<StoredProposal>;
}

/** `group:sre`, `team:sre` and `human:ada`; a word alone is a person. */
function isApprover({ human, team }: Principal, listed: readonly string[]): boolean {
  return listed.some((written) => {
    const [kind = "", name] = written.includes(":") ? written.split(":", 2) : ["human", written];
    if (kind === "group" || kind === "team") return name === team;
    return kind === "human" && name === human;
  });
}

function keyOf({ id }: Principal): string {
  return id.split("/")[0] ?? id;
}

/** Another key, and as far as people are named another person. */
function isSomebodyElse(by: Principal, proposer: Principal): boolean {
  return keyOf(by) !== keyOf(proposer) && (by.human === null || by.human !== proposer.human);
}

export interface ProposalRules {
  /** Whether who proposes may not be who approves. */
  readonly twoPerson: boolean;
  readonly entryOf: (tool: string) => ToolEntry | undefined;
}

export function createProposals(store: ProposalStore, rules: ProposalRules): Proposals {
  const find = async (id: string): Promise<StoredProposal> => {
    const proposal = await store.get(id);
    if (proposal === undefined) return refuseApproval("unknown_proposal");
    if (isExpired(proposal, Date.now())) refuseApproval("proposal_expired");
    if (proposal.state === "rejected") refuseApproval("proposal_rejected");
    return proposal;
  };
  return {
    store,
    find,
    propose: async (call, preview) => {
      const entry = entryOf(call);
      const { principal, args } = call;
      if (principal === undefined) throw new Error("a proposal needs somebody who makes it");
      const argsSha = digestOfCall(entry, args);
      const now = Date.now();
      const open = (await store.all()).filter((each) => isOpen(each) && !isExpired(each, now));
      const own = open.filter(({ proposer }) => proposer.id === principal.id);
      const same = own.find((each) => each.argsSha === argsSha);
      if (same !== undefined) return same;
      if (own.length >= MOST_OF_ONE || open.length >= MOST)
        throw new ToolFault("busy", "too many proposals are waiting", {
          hint: "ask an approver to decide about them",
        });
      const proposal: StoredProposal = {
        v: 1,
        proposal_id: newProposalId(argsSha),
        provider: entry.link.component,
        tool: entry.tool.name,
        argsSha,
        marker: markerOf(argsSha),
        policy_revision: call.exchange.facts().policy?.revision ?? "",
        tool_pin: toolDigest(entry.tool),
        proposer: principal,
        created_at: new Date(now).toISOString(),
        expires_at: new Date(now + ttlOf(entry.allowed?.ttl)).toISOString(),
        preview,
        state: "proposed",
        args,
      };
      await store.add(proposal);
      return proposal;
    },
    decide: async (id, by, state) => {
      if (by.role !== "admin") refuseApproval("role_not_allowed");
      const proposal = await find(id);
      const approvers = rules.entryOf(proposal.tool)?.allowed?.approvers ?? [];
      if (approvers.length > 0 && !isApprover(by, approvers)) refuseApproval("not_an_approver");
      if (state === "approved" && rules.twoPerson && !isSomebodyElse(by, proposal.proposer))
        refuseApproval("two_person");
      if (proposal.state === state) return proposal;
      const change = { state, approved_by: by.id };
      const moved =
        (await store.move(id, "proposed", change)) ??
        (state === "rejected" ? await store.move(id, "approved", change) : undefined);
      return moved ?? refuseApproval("not_open");
    },
  };
}
