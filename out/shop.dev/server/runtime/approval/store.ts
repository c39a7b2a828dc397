import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isExpired, isOpen } from "#runtime/approval/proposal";
import type { StoredProposal } from "#runtime/approval/proposal";
import type { ProposalState } from "#runtime/call/waiting";
import { StartError } from "#runtime/start-error";

/** Where proposals are kept. Every change is durable before it is answered, and rejects when it cannot be. */
export interface ProposalStore {
  add(proposal: StoredProposal): Promise<void>;
  get(id: string): Promise<StoredProposal | undefined>;
  /** Oldest first. */
  all(): Promise<readonly StoredProposal[]>;
  /** Changes a proposal that is in state `from`, and returns it; `undefined`, and no change, when it is in another one. */
  move(id: string, from: ProposalState, change: Partial<StoredProposal>): Promise<StoredProposal | undefined>;
  close(): Promise<void>;
}

/** How long what is over can still be asked for. */
const KEPT_MS = 24 * 3_600_000;

/** Whether nobody can have a use for it any more. */
export function isForgotten(proposal: StoredProposal, now: number): boolean {
  const isOver = !isOpen(proposal) || isExpired(proposal, now);
  // One that was being executed when the server died stays, because nobody knows how it ended.
  return isOver && proposal.state !== "executing" && now - Date.parse(proposal.expires_at) > KEPT_MS;
}

interface Journal {
  append(proposal: StoredProposal): void;
  close(): void;
}

function writeLine(file: number, proposal: StoredProposal): void {
  const bytes = Buffer.from(`${JSON.stringify(proposal)}\n`);
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
}

/** The last state of each proposal in a journal; a line that a crash cut off was never answered. */
function readJournal(path: string): Map<string, StoredProposal> {
  const known = new Map<string, StoredProposal>();
  if (!existsSync(path)) return known;
  const lines = readFileSync(path, "utf8").split("\n");
  lines.forEach((line, at) => {
    if (line === "" || at === lines.length - 1) return;
    const proposal = JSON.parse(line) as StoredProposal;
    known.delete(proposal.proposal_id);
    known.set(proposal.proposal_id, proposal);
  });
  return known;
}

/** A journal that holds what is still of use, written anew beside the old one and put in its place. */
function openJournal(path: string, known: ReadonlyMap<string, StoredProposal>): Journal {
  const fresh = openSync(`${path}.new`, "w", 0o600);
  for (const proposal of known.values()) writeLine(fresh, proposal);
  fsyncSync(fresh);
  closeSync(fresh);
  renameSync(`${path}.new`, path);
  const file = openSync(path, "a", 0o600);
  return {
    append: (proposal) => {
      writeLine(file, proposal);
      fsyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/**
 * Proposals of this process: in memory, and in `proposals.jsonl` of the folder where one is named, so that a restart
 * forgets none. The file holds arguments as they will be executed, and only its owner can read it.
 */
export function embeddedProposals(folder: string | undefined): ProposalStore {
  const path = folder === undefined ? undefined : join(folder, "proposals.jsonl");
  let proposals = new Map<string, StoredProposal>();
  let journal: Journal | undefined;
  try {
    if (path !== undefined) {
      const read = [...readJournal(path)];
      proposals = new Map(read.filter(([, proposal]) => !isForgotten(proposal, Date.now())));
      journal = openJournal(path, proposals);
    }
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "its journal is damaged";
    throw new StartError(`MCP_STATE_DIR cannot be used (${why}): name a writable folder`);
  }
  const keep = (proposal: StoredProposal): void => {
    journal?.append(proposal);
    proposals.set(proposal.proposal_id, proposal);
  };
  return {
    add: async (proposal) => {
      const now = Date.now();
      for (const [id, old] of proposals) if (isForgotten(old, now)) proposals.delete(id);
      keep(proposal);
    },
    get: async (id) => proposals.get(id),
    all: async () => [...proposals.values()],
    move: async (id, from, change) => {
      const proposal = proposals.get(id);
      if (proposal?.state !== from) return undefined;
      const changed = { ...proposal, ...change };
      keep(changed);
      return changed;
    },
    close: async () => journal?.close(),
  };
}
