import { ToolFault } from "#runtime/fault";
import type { TestManner } from "#runtime/stack-agent/agent";
import { runTests } from "#runtime/stack-agent/command/run-tests";
import type { Tester } from "#runtime/stack-agent/command/tester";
import type { Engine } from "#runtime/stack-agent/engine";
import type { ToolResult } from "#runtime/tool";

/** Each of them may have four children at work. */
const PARALLEL = 4;

/** Runs the commands of queries, a few at a time. */
export interface Tests {
  /** See `runTests`; when too many are running the answer is `busy`. */
  run(body: unknown, manner: TestManner, signal: AbortSignal): Promise<ToolResult>;
}

export function createTests(engine: Engine, tester: () => Tester): Tests {
  let running = 0;
  return {
    run: async (body, manner, signal) => {
      if (typeof body !== "object" || body === null || Array.isArray(body))
        throw new ToolFault("invalid_argument", "a query is an object");
      if (running >= PARALLEL)
        throw new ToolFault("busy", `${PARALLEL} tests are running`, { hint: "ask again in a few seconds" });
      running += 1;
      try {
        return await runTests({ engine, tester: tester(), body: { ...body }, ...manner, signal });
      } finally {
        running -= 1;
      }
    },
  };
}
