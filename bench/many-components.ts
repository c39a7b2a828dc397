import { rmSync, statSync } from "node:fs";
import { manyComponents } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { interleaved } from "./measure.ts";
import type { Case, Figures } from "./measure.ts";
import { pick } from "./suite.ts";
import type { Outcome, Suite } from "./suite.ts";
import { emptyNode, settle, workplace } from "./workplace.ts";
import type { Workplace } from "./workplace.ts";

const ROUNDS = 7;
/** The last is the most that a stack may hold. */
const SIZES = [1_000, 10_000, 20_000] as const;
const LINES_OF_A_COMPONENT = 4;

interface Sized {
  readonly size: number;
  readonly fresh: Workplace;
  readonly settled: Workplace;
}

function prepare(program: string, size: number): Sized {
  const fresh = workplace(`many-${size}-fresh`, "memory");
  const settled = workplace(`many-${size}-settled`, "memory");
  for (const place of [fresh, settled]) place.draw("many", manyComponents(size));
  settle(program, settled);
  return { size, fresh, settled };
}

function casesOf(program: string, { size, fresh, settled }: Sized): readonly Case[] {
  const node = [program, "generate"];
  return [
    {
      name: `${size} fresh`,
      command: { node },
      cwd: fresh.folder,
      before: () => rmSync(fresh.path("out"), { recursive: true, force: true }),
    },
    { name: `${size} compared`, command: { node: [...node, "--dry-run"] }, cwd: settled.folder },
    { name: `${size} no change`, command: { node }, cwd: settled.folder },
  ];
}

/** How many times longer the larger drawing takes, over what Node itself takes. */
function growth(figures: ReadonlyMap<string, Figures>, from: number, to: number): Goal {
  const start = pick(figures, "node -e 0").medianMs;
  const over = (size: number): number => pick(figures, `${size} fresh`).medianMs - start;
  const most = Number((1.1 * (to / from)).toFixed(2));
  return {
    id: "G4",
    what: `${from} to ${to} components, fresh, time without Node's start`,
    measured: over(to) / over(from),
    most,
    unit: "times",
  };
}

function measure(program: string): Outcome {
  const sized = SIZES.map((size) => prepare(program, size));
  const figures = interleaved([emptyNode, ...sized.flatMap((each) => casesOf(program, each))], ROUNDS);
  const start = pick(figures, "node -e 0");
  const goals: readonly Goal[] = [
    {
      id: "G4",
      what: "10 000 components, no change, against a start of Node",
      measured: pick(figures, "10000 no change").medianMs / start.medianMs,
      most: 4,
      unit: "times",
    },
    {
      id: "G4",
      what: "10 000 components, fresh, memory",
      measured: pick(figures, "10000 fresh").memoryMb,
      most: 200,
      unit: "MB",
    },
    {
      id: "G4",
      what: "10 000 components, compared, against a start of Node",
      measured: pick(figures, "10000 compared").medianMs / start.medianMs,
      most: 4,
      unit: "times",
    },
    {
      id: "G4",
      what: "10 000 components, fresh, against a start of Node",
      measured: pick(figures, "10000 fresh").medianMs / start.medianMs,
      most: 4,
      unit: "times",
    },
    {
      id: "G4",
      what: "10 000 components, compared, memory",
      measured: pick(figures, "10000 compared").memoryMb,
      most: 200,
      unit: "MB",
    },
    growth(figures, 1_000, 10_000),
    growth(figures, 10_000, 20_000),
  ];
  const drawn = sized.map(
    ({ size, settled }) =>
      [`bytes drawn, ${size} components`, statSync(settled.path("stacks/many.yaml")).size] as const,
  );
  for (const { fresh, settled } of sized) [fresh, settled].forEach((place) => place.remove());
  return {
    figures: [...figures.values()],
    goals,
    facts: { "lines of a component": LINES_OF_A_COMPONENT, ...Object.fromEntries(drawn) },
  };
}

export const manyComponentsSuite: Suite = {
  name: "many-components",
  about: "One stack with 1 000, 10 000 and 20 000 components, in memory.",
  run: measure,
};
