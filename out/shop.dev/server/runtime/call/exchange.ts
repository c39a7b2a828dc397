import { randomUUID } from "node:crypto";
import type { Principal } from "#runtime/identity/identity";
import type { PolicyVerdict } from "#runtime/policy/gate";
import type { Reason } from "#runtime/reason";
import type { Verdict } from "#runtime/rules";
import type { TraceContext } from "#runtime/call/trace";

/** What is known about a request by the time it ends; each part is filled in where it becomes known. */
export interface RequestFacts {
  readonly principal?: Principal;
  /** Headers that named somebody and were not believed. */
  readonly ignored?: readonly string[];
  readonly method?: string;
  readonly tool?: string;
  readonly link?: string;
  /** The linked component, by which the audit names the action. */
  readonly component?: string;
  /** Digest of the transport's session id, which itself would let others in. */
  readonly mcpSession?: string;
  /** The caller's trace, when it has one. */
  readonly trace?: TraceContext;
  readonly verdict?: Verdict;
  /** What the policy engine beside the server said, when that was no yes. */
  readonly engine?: string;
  readonly changeRef?: string;
  readonly argsSha?: string;
  readonly policy?: PolicyVerdict;
  /** The proposal that was made or executed, and who approved it. */
  readonly proposal?: string;
  readonly approvedBy?: string;
  /** The answer is that of an earlier execution. */
  readonly replayed?: true;
  /** Redacted; reads only. */
  readonly args?: unknown;
  readonly decision?: "allow" | "deny";
  readonly reason?: Reason;
  readonly ok?: boolean;
  readonly fault?: string;
}

/** How the answer left. */
export interface RequestEnd {
  readonly status: number;
  readonly bytesOut: number;
  readonly latencyMs: number;
}

/** Where the row of a request goes: the audit. */
interface Rows {
  result(requestId: string, facts: RequestFacts, end: RequestEnd): void;
}

/** One request from its arrival to its end: whatever happens in between, it leaves one audit row. */
export interface Exchange {
  readonly id: string;
  readonly facts: () => RequestFacts;
  /** Resolves when the answer has been sent, or nobody is left to send it to. */
  readonly answered: Promise<void>;
  /** Later facts replace earlier ones. */
  note(facts: RequestFacts): void;
  /** Work whose facts belong into the row, even if the client leaves before it ends. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Writes the row, once nothing is under way any more; a second call does nothing. */
  finish(status: number, bytesOut: number): void;
}

export function openExchange(audit: Rows): Exchange {
  const id = randomUUID();
  const arrived = performance.now();
  let facts: RequestFacts = {};
  let underWay = 0;
  let end: RequestEnd | undefined;
  let written = false;
  let onAnswered: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (onAnswered = resolve));
  const writeWhenOver = (): void => {
    if (end === undefined || underWay > 0 || written) return;
    written = true;
    audit.result(id, facts, end);
  };
  return {
    id,
    facts: () => facts,
    answered,
    note: (more) => {
      facts = { ...facts, ...more };
    },
    during: async (work) => {
      underWay += 1;
      try {
        return await work();
      } finally {
        underWay -= 1;
        writeWhenOver();
      }
    },
    finish: (status, bytesOut) => {
      onAnswered();
      end ??= { status, bytesOut, latencyMs: Math.round(performance.now() - arrived) };
      writeWhenOver();
    },
  };
}
