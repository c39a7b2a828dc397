import { readFileSync } from "node:fs";
import type { StackAgent } from "./agent.ts";
import { createEngine } from "./engine.ts";
import type { Engine } from "./engine.ts";
import type { TopologyData } from "./topology-data.ts";

/** The engine over a `topology.json`, read at the first question and kept. */
export function embeddedAgent(file: URL): StackAgent {
  let made: Engine | undefined;
  const engine = (): Engine =>
    (made ??= createEngine(JSON.parse(readFileSync(file, "utf8")) as TopologyData));
  return {
    query: async (body) => engine().query(body),
    structure: async (page) => engine().structure(page),
    fields: async (component) => engine().fields(component),
    profile: async (category) => engine().profile(category),
    summary: async () => engine().summary(),
    dna: async () => engine().dna(),
  };
}
