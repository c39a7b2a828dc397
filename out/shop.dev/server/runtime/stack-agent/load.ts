import { readFileSync } from "node:fs";
import { createEngine } from "./engine.ts";
import type { Engine } from "./engine.ts";
import type { TopologyData } from "./topology-data.ts";

/** The engine over a `topology.json`, read at the first call and kept. */
export function engineAt(file: URL): () => Engine {
  let engine: Engine | undefined;
  return () => (engine ??= createEngine(JSON.parse(readFileSync(file, "utf8")) as TopologyData));
}
