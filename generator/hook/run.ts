import type { Topology } from "../model/topology.ts";
import type { Facts, Generation, Hook } from "./contract.ts";

/** Two hooks of one name, a hook that follows one which does not exist, or a circle of hooks. */
export class HookOrderError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "HookOrderError";
  }
}

/**
 * Orders hooks so that each runs after those whose facts it reads.
 *
 * Ties break by name, so two machines derive the same facts in the same order whatever order their folders
 * are read in. A circle is a fault of the catalog and names every hook on it.
 */
export function orderHooks(hooks: readonly Hook[]): readonly Hook[] {
  const waiting = new Map(
    [...hooks].sort((a, b) => (a.name < b.name ? -1 : 1)).map((hook) => [hook.name, hook]),
  );
  if (waiting.size !== hooks.length) throw new HookOrderError("two hooks have the same name");
  for (const hook of hooks) {
    for (const name of hook.after ?? []) {
      if (!waiting.has(name))
        throw new HookOrderError(`hook "${hook.name}" runs after "${name}", which does not exist`);
    }
  }
  const ordered: Hook[] = [];
  while (waiting.size > 0) {
    const next = [...waiting.values()].find((hook) => !(hook.after ?? []).some((name) => waiting.has(name)));
    if (next === undefined)
      throw new HookOrderError(`hooks wait for each other: ${[...waiting.keys()].join(", ")}`);
    ordered.push(next);
    waiting.delete(next.name);
  }
  return ordered;
}

/** Runs ordered hooks; a hook sees only the facts of those it names in `after`. */
export function runHooks(hooks: readonly Hook[], topology: Topology, generation: Generation): Facts {
  const facts: Record<string, unknown> = {};
  for (const hook of hooks) {
    const visible = Object.fromEntries((hook.after ?? []).map((name) => [name, facts[name]]));
    facts[hook.name] = hook.derive(topology, Object.freeze(visible), generation);
  }
  return facts;
}
