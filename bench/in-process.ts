import catalog from "#catalog";
import { emit } from "../generator/emit/emit.ts";
import { parseFast } from "../generator/load/fast-yaml.ts";
import { loadStack } from "../generator/load/load.ts";
import { parseStrict } from "../generator/load/strict-yaml.ts";
import { manyComponents } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import type { Outcome, Suite } from "./suite.ts";
import { timed } from "./timed.ts";

const ROUNDS = 9;
const SIZE = 1_000;

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
  const figures = await timed(
    [
      { name: "JSON.parse of the same data", run: () => JSON.parse(json) as unknown },
      { name: "small YAML parser", run: () => parseFast(text) },
      { name: "complete YAML parser", run: () => parseStrict(text) },
      { name: "load: parse, validate, build", run: load },
      { name: "emit: hooks, files, checks", run: () => emit(stack.base, catalog) },
    ],
    ROUNDS,
  );
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
