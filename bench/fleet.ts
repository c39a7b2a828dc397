import { readdirSync, rmSync } from "node:fs";
import { fleetMember } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { interleaved } from "./measure.ts";
import { pick } from "./suite.ts";
import type { Outcome, Suite } from "./suite.ts";
import { emptyNode, settle, workplace } from "./workplace.ts";

const ROUNDS = 5;
const STACKS = 500;

function measure(program: string): Outcome {
  const fresh = workplace("fleet-fresh", "memory");
  const settled = workplace("fleet-settled", "memory");
  const single = workplace("fleet-single", "memory");
  for (let index = 0; index < STACKS; index++) {
    for (const place of [fresh, settled]) place.draw(`s${index}`, fleetMember(index));
  }
  single.draw("s0", fleetMember(0));
  settle(program, settled);
  const node = [program, "generate"];
  const remove = (path: string) => () => rmSync(path, { recursive: true, force: true });
  const figures = interleaved(
    [
      emptyNode,
      {
        name: "cp -r",
        command: { other: ["cp", "-r", "out", "copy"] },
        cwd: settled.folder,
        before: remove(settled.path("copy")),
      },
      { name: "1 stack, fresh", command: { node }, cwd: single.folder, before: remove(single.path("out")) },
      { name: "500 stacks, fresh", command: { node }, cwd: fresh.folder, before: remove(fresh.path("out")) },
      { name: "500 stacks, no change", command: { node }, cwd: settled.folder },
    ],
    ROUNDS,
  );
  const [start, copy, one] = [
    pick(figures, "node -e 0"),
    pick(figures, "cp -r"),
    pick(figures, "1 stack, fresh"),
  ];
  const [all, none] = [pick(figures, "500 stacks, fresh"), pick(figures, "500 stacks, no change")];
  const files = readdirSync(settled.path("out"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  ).length;
  const goals: readonly Goal[] = [
    {
      id: "G2",
      what: "500 stacks, no change, against a start of Node",
      measured: none.medianMs / start.medianMs,
      most: 3,
      unit: "times",
    },
    {
      id: "G3",
      what: "500 stacks, fresh, against a copy",
      measured: all.medianMs / copy.medianMs,
      most: 6,
      unit: "times",
    },
    {
      id: "G3",
      what: "500 stacks, fresh, memory against one stack's",
      measured: all.memoryMb / one.memoryMb,
      most: 2,
      unit: "times",
    },
  ];
  for (const place of [fresh, settled, single]) place.remove();
  return { figures: [...figures.values()], goals, facts: { stacks: STACKS, files } };
}

export const fleetSuite: Suite = {
  name: "fleet",
  about: "500 small stacks in one folder, in memory.",
  run: measure,
};
