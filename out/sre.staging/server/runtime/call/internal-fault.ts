import { inspect } from "node:util";
import { fail } from "#runtime/call/call";
import type { Call, Outcome } from "#runtime/call/call";
import type { Redactor } from "#runtime/redactor";

function describe(thrown: unknown): string {
  try {
    return inspect(thrown, { depth: 3, maxStringLength: 2_000, maxArrayLength: 20, breakLength: Infinity });
  } catch {
    return "an error that cannot be shown";
  }
}

/** What nobody expected: told to the operator in full, and to the caller not at all. */
export function internalFault(call: Call, thrown: unknown, redactor: Redactor): Outcome {
  const detail = redactor.text(describe(thrown)).value.slice(0, 8_000).replaceAll("\n", " ");
  const tool = call.entry?.tool.name ?? "an unknown tool";
  process.stderr.write(`request ${call.exchange.id}: ${tool} failed unexpectedly: ${detail}\n`);
  return fail({
    code: "internal",
    message: "the tool failed unexpectedly",
    hint: `the operator finds the details under request ${call.exchange.id}`,
  });
}
