import { randomBytes } from "node:crypto";
import type { ChainHead, HeadRegistry } from "#runtime/audit/heads";
import { embeddedProposals } from "#runtime/approval/store";
import { memoryRates } from "#runtime/policy/rate-limits";
import type { OpenState } from "#runtime/registry";

/** What replicas share, in this process, with a switch for the way to it. */
export interface SharedFake extends HeadRegistry {
  isAway: boolean;
  /** How often it was asked for anything. */
  asked: number;
  readonly open: OpenState;
  /** As `HVALS` prints it. */
  text(): string;
  forget(): void;
}

export function sharedFake(): SharedFake {
  const rows = new Map<string, ChainHead & { revision: number }>();
  let revision = 0;
  const key = randomBytes(32);
  const shared: SharedFake = {
    isAway: false,
    asked: 0,
    register: async (head, since) => {
      shared.asked += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (shared.isAway) throw new Error("the registry is away");
      if (rows.get(head.chain)?.seq !== head.seq) {
        revision += 1;
        rows.set(head.chain, { ...head, revision });
      }
      const others = [...rows.values()].filter((row) => row.chain !== head.chain && row.revision > since);
      return { revision, others: others.map(({ chain, seq, hash }) => ({ chain, seq, hash })) };
    },
    open: () => ({
      rates: memoryRates(),
      proposals: embeddedProposals(undefined),
      heads: shared,
      sealingKey: async () => {
        if (shared.isAway) throw new Error("the shared state is away");
        return key;
      },
      answers: async () => {
        shared.asked += 1;
        return !shared.isAway;
      },
    }),
    text: () =>
      [...rows.values()].map((row) => `${row.revision} ${row.chain} ${row.seq} ${row.hash} 1\n`).join(""),
    forget: () => {
      rows.clear();
      revision = 0;
    },
  };
  return shared;
}
