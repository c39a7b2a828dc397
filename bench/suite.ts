import type { Goal } from "./goal.ts";
import type { Figures } from "./measure.ts";

/** One run of one suite: what was measured, and what had to hold. */
export interface Outcome {
  readonly figures: readonly Figures[];
  readonly goals: readonly Goal[];
  /** Facts that explain the figures: sizes and counts. */
  readonly facts: Readonly<Record<string, number | string>>;
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  run(program: string): Promise<Outcome> | Outcome;
}

/** The figures of a case; a suite that asks for one that it did not run has a fault. */
export function pick(figures: ReadonlyMap<string, Figures>, name: string): Figures {
  const found = figures.get(name);
  if (found === undefined) throw new Error(`no case "${name}" was measured`);
  return found;
}
