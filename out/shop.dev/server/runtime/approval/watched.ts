import type { Proposal } from "#runtime/approval/proposal";
import type { ProposalStore } from "#runtime/approval/store";

/** What happened to a proposal, once each; `executed` whether or not the service took it. */
export const PROPOSAL_CHANGES = ["proposed", "approved", "rejected", "executed"] as const;
export type ProposalChange = (typeof PROPOSAL_CHANGES)[number];

function changeOf(from: string, to: string | undefined): ProposalChange | undefined {
  // An approval that a guard held up at its execution is put back, and not given again.
  if (to === "approved" && from !== "proposed") return undefined;
  return PROPOSAL_CHANGES.find((change) => change === to);
}

/** The same store; `onChange` hears what this process changed, after it stands. */
export function watchedProposals(
  store: ProposalStore,
  onChange: (change: ProposalChange, proposal: Proposal) => void,
): ProposalStore {
  return {
    ...store,
    add: async (proposal) => {
      await store.add(proposal);
      onChange("proposed", proposal);
    },
    move: async (id, from, change) => {
      const moved = await store.move(id, from, change);
      const what = changeOf(from, change.state);
      if (moved !== undefined && what !== undefined) onChange(what, moved);
      return moved;
    },
  };
}
