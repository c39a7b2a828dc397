export type ProposalState = "proposed" | "approved" | "rejected" | "executing" | "executed";

/** What a client carries from one round of a call to the next, under our seal. It permits nothing: every round is a call. */
export interface AwaitedProposal {
  readonly proposal_id: string;
  readonly tool: string;
  readonly argsSha: string;
}

/** What a person at the client is shown while somebody else decides. */
export interface WaitingProposal {
  readonly proposal_id: string;
  /** The linked component. */
  readonly provider: string;
  readonly tool: string;
  readonly argsSha: string;
  readonly expires_at: string;
  /** What a person sees: the arguments without secrets, and what a dry run said where the tool has one. */
  readonly preview: unknown;
  readonly state: ProposalState;
}
