import { randomBytes } from "node:crypto";
import { wrapDataKey } from "./age.ts";
import type { Randomness } from "./randomness.ts";

/** The real clock and the real random numbers: what everything but a test seals with. */
export const systemRandomness: Randomness = {
  now: () => new Date(),
  randomBytes: (count) => randomBytes(count),
  wrap: wrapDataKey,
};
