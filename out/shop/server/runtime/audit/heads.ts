import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Chain } from "#runtime/audit/chain";
import { codeOf } from "#runtime/audit/sink";
import type { Head } from "#runtime/audit/sink";

/** How far a chain had come when that was registered. */
export interface ChainHead extends Head {
  /** One process's part of a file, or its stream: `<host>/<random>`. */
  readonly chain: string;
}

/** What the registry says in return. */
export interface Registration {
  /** Grows with every change; smaller than before when the registry was lost. */
  readonly revision: number;
  /** Heads of other chains that are newer than the revision that was asked about. */
  readonly others: readonly ChainHead[];
}

/** Where all replicas of a server register how far their chains have come. */
export interface HeadRegistry {
  /** Rejects when nobody knows whether the head stands. */
  register(head: ChainHead, since: number): Promise<Registration>;
}

/** Ties the chain of this process to those of the others. */
export interface Heads {
  /** Resolves when all records so far are on the disk and the head that holds them is registered. */
  reach(): Promise<void>;
  /** Anchors the chain and registers its end, as far as the registry answers. */
  close(): Promise<void>;
}

/** What is registered between writes lags behind by this much at most. */
const EVERY_MS = 5_000;

function newChainId(): string {
  return `${hostname().replaceAll(/[^\w.-]/g, "_")}/${randomBytes(8).toString("hex")}`;
}

/**
 * Each replica keeps a chain of its own, so that no read waits for another process. What holds them together is that
 * every head is registered, and that each chain records the heads of the others: whoever takes a file away, or
 * cuts its end off, contradicts the files that are left.
 */
export function openHeads(registry: HeadRegistry, chain: Chain): Heads {
  const id = newChainId();
  let since = 0;
  let registered: ChainHead | undefined;
  /** The chain's head when nothing but heads of others had come since the last registration. */
  let quiet = 0;
  let running: Promise<void> | undefined;
  let told = false;

  const weave = ({ revision, others }: Registration): void => {
    const isLost = revision < since;
    if (others.length > 0 || isLost)
      chain.note(
        "mcp.audit.heads",
        { phase: "heads", heads: others, ...(isLost ? { registry: "lost" } : {}) },
        false,
      );
    since = isLost ? 0 : revision;
  };
  const register = async (): Promise<void> => {
    const isQuiet = registered !== undefined && chain.head().seq === quiet;
    const head = isQuiet && registered !== undefined ? registered : { chain: id, ...chain.settledHead() };
    const answer = await registry.register(head, since);
    registered = head;
    const isAlone = chain.head().seq === (isQuiet ? quiet : head.seq);
    weave(answer);
    // Heads of others are no reason to register: two idle replicas would tell each other so for ever.
    if (isAlone) quiet = chain.head().seq;
  };
  const run = async (): Promise<void> => {
    running ??= register().finally(() => (running = undefined));
    await running;
  };
  /** One that was under way may have begun before the record was written: then one more it is. */
  const reach = async (seq: number): Promise<void> => {
    if ((registered?.seq ?? 0) >= seq) return;
    await run();
    await reach(seq);
  };
  const poll = async (): Promise<void> => {
    try {
      await run();
      told = false;
    } catch (cause) {
      if (!told)
        process.stderr.write(`audit: the head of the chain could not be registered: ${codeOf(cause)}\n`);
      told = true;
    }
  };

  chain.note("mcp.audit.opened", { phase: "opened", chain: id }, true);
  void poll();
  const timer = setInterval(() => void poll(), EVERY_MS);
  timer.unref();
  return {
    reach: async () => await reach(chain.head().seq),
    close: async () => {
      clearInterval(timer);
      await poll();
      chain.anchor();
      if (!told) await poll();
    },
  };
}
