import { hash, randomBytes } from "node:crypto";
import type { Arguments } from "#runtime/call/call";
import type { WaitingProposal } from "#runtime/call/waiting";
import type { Principal } from "#runtime/identity/identity";

/** How an executed proposal ended; whoever asks for it again gets this and no second effect. */
export interface ProposalResult {
  readonly ok: boolean;
  /** The envelope of the call, or its fault. */
  readonly answer: unknown;
}

/** One write that waits for a person. Everything that is checked again at its execution stands in it. */
export interface Proposal extends WaitingProposal {
  readonly v: 1;
  /** For whatever the write leaves behind that has a body. */
  readonly marker: string;
  readonly policy_revision: string;
  readonly tool_pin: string;
  readonly proposer: Principal;
  readonly created_at: string;
  readonly approved_by?: string;
  readonly executing_since?: string;
  readonly result?: ProposalResult;
}

/** With the arguments as they will be executed, which no list shows. */
export interface StoredProposal extends Proposal {
  readonly args: Arguments;
}

/** Without what only the execution needs. An open proposal whose time is over says so. */
export function shown({ args: _args, ...proposal }: StoredProposal, now: number): object {
  return { ...proposal, state: isExpired(proposal, now) ? "expired" : proposal.state };
}

export function isOpen({ state }: Proposal): boolean {
  return state === "proposed" || state === "approved";
}

export function isExpired(proposal: Proposal, now: number): boolean {
  return isOpen(proposal) && now >= Date.parse(proposal.expires_at);
}

/** Names one proposal; it is no secret, since knowing it permits nothing. */
export function newProposalId(argsSha: string): string {
  return hash("sha256", `${argsSha}\0${randomBytes(16).toString("hex")}`, "hex").slice(0, 16);
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TTL_MS = 15 * 60_000;
const LONGEST_TTL_MS = 7 * 86_400_000;

/** `15m` in milliseconds; with nothing drawn a quarter of an hour. */
export function ttlOf(drawn: string | undefined): number {
  const [, count, unit = ""] = /^(\d+)([smhd])$/.exec(drawn ?? "") ?? [];
  return count === undefined ? TTL_MS : Math.min(Number(count) * (UNITS[unit] ?? 0), LONGEST_TTL_MS);
}
