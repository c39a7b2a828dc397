import { readFileSync } from "node:fs";
import { derive } from "../emit/emit.ts";
import { load } from "../generate.ts";
import { today } from "./request.ts";
import { engine, report, stackFiles } from "./stacks.ts";
import { ExitCode, UsageError } from "./terminal.ts";

interface Options {
  readonly env?: string;
}

const STDIN = 0;

/**
 * Answers a query as the stack's agent would, byte for byte, from the stack file alone: nothing has to be
 * generated or to run. A question that the agent would refuse is answered with its refusal, and exit code 1.
 */
export async function runQuery(stack: string, question: string, options: Options): Promise<number> {
  const [path = stack] = stackFiles(engine.fs, [stack]);
  const { diagnostics, topologies } = await load(engine, path, options.env, today());
  report(
    diagnostics.filter(({ severity }) => severity === "error"),
    "text",
  );
  const [topology] = topologies;
  if (topology === undefined) return ExitCode.findings;
  const output = engine.catalog.outputs.find(({ query }) => query !== undefined);
  if (output?.query === undefined) throw new UsageError("no output of this catalog answers queries");
  const { facts } = derive(topology, engine.catalog);
  const body = question === "-" ? readFileSync(STDIN, "utf8") : question;
  const answer = output.query(facts, body);
  process.stdout.write(`${answer.text}\n`);
  return answer.ok ? ExitCode.ok : ExitCode.findings;
}
