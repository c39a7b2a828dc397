import catalog from "#catalog";
import { emit } from "../generator/emit/emit.ts";
import { parseFast } from "../generator/load/fast-yaml.ts";
import { loadStack } from "../generator/load/load.ts";
import { parseStrict } from "../generator/load/strict-yaml.ts";
import { manyComponents } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { median } from "./measure.ts";
import type { Figures } from "./measure.ts";
import type { Outcome, Suite } from "./suite.ts";

const ROUNDS = 9;
const SIZE = 1_000;

interface Part {
  readonly name: string;
  run(): unknown;
}

/** Each part once in each round, after one round that does not count. */
async function timed(parts: readonly Part[]): Promise<readonly Figures[]> {
  const taken = new Map<string, number[]>(parts.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const part of parts) {
      const start = performance.now();
      await part.run();
      if (round > 0) taken.get(part.name)?.push(performance.now() - start);
    }
  }
  return [...taken].map(([name, ms]) => {
    const sorted = [...ms].sort((a, b) => a - b);
    const p90Ms = sorted[Math.floor(sorted.length * 0.9)] ?? 0;
    return {
      name,
      rounds: ROUNDS,
      medianMs: median(ms),
      minMs: sorted[0] ?? 0,
      p90Ms,
      cpuMs: 0,
      memoryMb: 0,
    };
  });
}

async function measure(): Promise<Outcome> {
  const text = manyComponents(SIZE);
  const bytes = Buffer.from(text);
  const load = async (): ReturnType<typeof loadStack> =>
    await loadStack({
      file: "stacks/many.yaml",
      bytes,
      catalog: catalog.types,
      validate: catalog.validators,
      modules: catalog.modules,
      neighbours: () => undefined,
    });
  const { stack, diagnostics } = await load();
  if (stack === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const value = parseFast(text);
  const json = JSON.stringify(value.ok ? value.value : null);
  const figures = await timed([
    { name: "JSON.parse of the same data", run: () => JSON.parse(json) as unknown },
    { name: "small YAML parser", run: () => parseFast(text) },
    { name: "complete YAML parser", run: () => parseStrict(text) },
    { name: "load: parse, validate, build", run: load },
    { name: "emit: hooks, files, checks", run: () => emit(stack.base, catalog) },
  ]);
  const at = (name: string): number => figures.find((each) => each.name === name)?.medianMs ?? Number.NaN;
  const goals: readonly Goal[] = [
    {
      id: "YAML",
      what: "small parser against the complete one",
      measured: at("small YAML parser") / at("complete YAML parser"),
      most: 0.2,
      unit: "times",
    },
  ];
  return { figures, goals, facts: { components: SIZE, "bytes drawn": bytes.length } };
}

export const inProcessSuite: Suite = {
  name: "in-process",
  about: "Steps of one run with 1 000 components, in a process that is warm.",
  run: measure,
};
