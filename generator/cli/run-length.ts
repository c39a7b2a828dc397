import { setFlagsFromString } from "node:v8";

/** Only the V8 of Node 20 has all of these flags; later ones print an error for those they lack. */
function setFlags(flags: readonly string[]): void {
  if (process.versions.v8.startsWith("11.3.")) flags.forEach((flag) => setFlagsFromString(flag));
}

/**
 * Sixteen times the work before V8 optimises a function, and no exception for small ones. Most runs end sooner
 * than what was optimised has paid for itself: they save a fifth of their time and a tenth of their memory.
 */
const OPTIMISE_LATE = ["--interrupt-budget=2162688", "--max-bytecode-size-for-early-opt=0"];
/**
 * The nursery stays small: a run keeps most of what it makes, so a larger one is only copied more at a time. One
 * thread does that sooner than several agree on it.
 */
const STAY_SMALL = ["--semi-space-growth-factor=1", "--no-parallel-scavenge"];

/** To be called before any code is loaded: V8 takes compiled code back only under the flags it was made with. */
export function suitShortRuns(): void {
  setFlags([...OPTIMISE_LATE, ...STAY_SMALL]);
}

/** As V8 has them by itself. */
const AS_EVER = ["--interrupt-budget=132096", "--parallel-scavenge"];
/** About two thousand components: from here on, optimised code has paid for itself before the run ends. */
const LONG_BYTES = 256 * 1024;

/** To be called as soon as it is known how much there is to read. */
export function expectBytes(bytes: number): void {
  if (bytes >= LONG_BYTES) setFlags(AS_EVER);
}
