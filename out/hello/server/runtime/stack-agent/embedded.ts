import type { Settings } from "#runtime/settings";
import type { StackAgent } from "./agent.ts";
import { testerAt } from "./command/open.ts";
import { runTests } from "./command/run-tests.ts";
import { createEngine } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { readTopology } from "./topology-file.ts";

/** What was generated for an agent: the drawing, and what may be run in it. */
export interface AgentFiles {
  readonly topology: URL;
  readonly commands: URL;
}

/** The engine over a `topology.json`, read at the first question and kept; `env` is the prefix of its settings. */
export function embeddedAgent(files: AgentFiles, settings: Settings, env: string): StackAgent {
  const tester = testerAt(files.commands, settings, env);
  let made: Engine | undefined;
  const engine = (): Engine => (made ??= createEngine(readTopology(files.topology)));
  return {
    query: async (body) => engine().query(body),
    test: async (body, manner, signal) =>
      await runTests({ engine: engine(), tester: tester(), body: { ...body }, ...manner, signal }),
    structure: async (page) => engine().structure(page),
    fields: async (component) => engine().fields(component),
    profile: async (category) => engine().profile(category),
    summary: async () => engine().summary(),
    dna: async () => engine().dna(),
  };
}
