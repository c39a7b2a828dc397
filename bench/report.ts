import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { goalLine, isReached } from "./goal.ts";
import type { Figures } from "./measure.ts";
import type { Outcome, Suite } from "./suite.ts";
import { ROOT } from "./workplace.ts";

/** What a reader needs to judge the figures; neither names nor paths of the machine. */
function machine(): object {
  return {
    node: process.version,
    v8: process.versions.v8,
    platform: process.platform,
    architecture: process.arch,
    cores: cpus().length,
    processor: cpus()[0]?.model ?? "unknown",
    memoryGb: Math.round(totalmem() / 1024 ** 3),
  };
}

const rounded = (value: number): number => Number(value.toFixed(2));

function row(figures: Figures, start: number): string {
  const cells = [figures.medianMs, figures.minMs, figures.p90Ms].map((ms) => ms.toFixed(1).padStart(9));
  const ratio = (figures.medianMs / start).toFixed(2).padStart(8);
  const memory = figures.memoryMb === 0 ? "-" : figures.memoryMb.toFixed(0);
  return `${figures.name.padEnd(32)}${cells.join("")}${ratio}${memory.padStart(8)}`;
}

export function printed(suite: Suite, { figures, goals, facts }: Outcome): string {
  const head = `${"".padEnd(32)}${["median ms", "min", "p90", "ratio", "MB"].map((word, index) => word.padStart(index < 3 ? 9 : 8)).join("")}`;
  const start = figures[0]?.medianMs ?? 1;
  const table = figures.length === 0 ? [] : [head, ...figures.map((each) => row(each, start))];
  const about = Object.entries(facts)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
  return [`${suite.name}: ${suite.about}`, about, "", ...table, "", ...goals.map(goalLine), "", ""].join(
    "\n",
  );
}

export function saveResult(suite: Suite, outcome: Outcome): void {
  const folder = join(ROOT, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const figures = outcome.figures.map((each) =>
    Object.fromEntries(
      Object.entries(each).map(([key, value]) => [key, typeof value === "number" ? rounded(value) : value]),
    ),
  );
  const goals = outcome.goals.map((goal) => ({
    ...goal,
    measured: rounded(goal.measured),
    most: rounded(goal.most),
    reached: isReached(goal),
  }));
  const result = {
    suite: suite.name,
    about: suite.about,
    machine: machine(),
    facts: outcome.facts,
    figures,
    goals,
  };
  writeFileSync(join(folder, `${suite.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
