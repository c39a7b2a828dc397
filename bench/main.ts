/**
 * Measures the built program: `npm run bench -- [suite...] [--gate] [--clean]`. With `--gate`, exit 1 when a goal
 * is missed; with `--clean`, in a reduced environment, and nothing is saved.
 */
import { correctnessSuite } from "./correctness.ts";
import { fleetSuite } from "./fleet.ts";
import { isReached } from "./goal.ts";
import { inProcessSuite } from "./in-process.ts";
import { manyComponentsSuite } from "./many-components.ts";
import { peersSuite } from "./peers.ts";
import { pipelineSuite } from "./pipeline.ts";
import { queriesSuite } from "./queries.ts";
import { printed, saveResult } from "./report.ts";
import { sealSuite } from "./seal.ts";
import { sealingSuite } from "./sealing.ts";
import type { Suite } from "./suite.ts";
import { twentyLinksSuite } from "./twenty-links.ts";
import { stageProgram } from "./workplace.ts";

const SUITES: readonly Suite[] = [
  correctnessSuite,
  twentyLinksSuite,
  sealingSuite,
  manyComponentsSuite,
  fleetSuite,
  inProcessSuite,
  sealSuite,
  queriesSuite,
  pipelineSuite,
  peersSuite,
];

function chosen(names: readonly string[]): readonly Suite[] {
  const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0)
    throw new Error(`no suite ${unknown.join(", ")}: there are ${SUITES.map(({ name }) => name).join(", ")}`);
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

const args = process.argv.slice(2);
const suites = chosen(args.filter((arg) => !arg.startsWith("--")));
const program = stageProgram();
let missed = 0;
for (const suite of suites) {
  const outcome = await suite.run(program);
  // What was not there to be measured does not replace what was measured.
  if (!args.includes("--clean") && outcome.goals.length > 0) saveResult(suite, outcome);
  process.stdout.write(printed(suite, outcome));
  missed += outcome.goals.filter((goal) => !isReached(goal)).length;
}
process.stdout.write(missed === 0 ? "all goals reached\n" : `${missed} goals missed\n`);
if (args.includes("--gate") && missed > 0) process.exitCode = 1;
