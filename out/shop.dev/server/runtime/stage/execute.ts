import { entryOf, fail } from "#runtime/call/call";
import type { Call, Outcome, Stage } from "#runtime/call/call";
import type { Envelope } from "#runtime/call/envelope";
import { ToolFault } from "#runtime/fault";
import { internalFault } from "#runtime/call/internal-fault";
import type { Redactor } from "#runtime/redactor";
import type { ToolEntry } from "#runtime/surface/tool-index";
import type { ToolResult } from "#runtime/tool";

const DEFAULT_TIMEOUT_MS = 15_000;
const HARD_TIMEOUT_MS = 60_000;

/** How a handler ended; it may also not end at all before its time is over. */
type Ending = { readonly result: ToolResult } | { readonly thrown: unknown } | "timeout" | "cancelled";

async function settle(work: Promise<ToolResult>): Promise<Ending> {
  try {
    return { result: await work };
  } catch (thrown) {
    return { thrown };
  }
}

/** Starts the handler in a turn of its own, so that one that throws at once is no different. */
async function start(entry: ToolEntry, call: Call, signal: AbortSignal): Promise<ToolResult> {
  return await entry.run(call.args, signal, call.marker);
}

async function runBounded(
  entry: ToolEntry,
  call: Call,
): Promise<{ ending: Ending; running: Promise<unknown> }> {
  const timeoutMs = Math.min(entry.tool.timeoutMs ?? DEFAULT_TIMEOUT_MS, HARD_TIMEOUT_MS);
  const abort = new AbortController();
  const running = settle(start(entry, call, abort.signal));
  let stop: (reason: "timeout" | "cancelled") => void = () => undefined;
  const stopped = new Promise<"timeout" | "cancelled">((resolve) => (stop = resolve));
  const onAbort = (): void => stop("cancelled");
  const timer = setTimeout(() => stop("timeout"), timeoutMs);
  call.signal.addEventListener("abort", onAbort, { once: true });
  if (call.signal.aborted) onAbort();
  const ending = await Promise.race([running, stopped]);
  clearTimeout(timer);
  call.signal.removeEventListener("abort", onAbort);
  abort.abort(new ToolFault(ending === "timeout" ? "timeout" : "cancelled", "the call is over"));
  return { ending, running };
}

function envelopeOf(entry: ToolEntry, result: ToolResult, elapsedMs: number): Envelope {
  return {
    service: entry.link.component,
    link: entry.link.id,
    tool: entry.tool.name,
    data: result.data ?? null,
    page: result.page ?? null,
    truncated: result.truncation !== undefined,
    truncation: result.truncation ?? null,
    elapsed_ms: elapsedMs,
    redactions: 0,
    warnings: result.warnings ?? [],
  };
}

function outcomeOf(thrown: unknown, call: Call, redactor: Redactor): Outcome {
  if (!(thrown instanceof ToolFault)) return internalFault(call, thrown, redactor);
  const hint = thrown.hint === undefined ? {} : { hint: thrown.hint };
  return fail({ code: thrown.code, message: thrown.message, ...hint });
}

/** Runs the handler: never longer than its time limit, never on after the caller has gone. */
export function execute(redactor: Redactor): Stage {
  return async (call) => {
    const entry = entryOf(call);
    const started = performance.now();
    const { ending, running } = await runBounded(entry, call);
    const elapsedMs = Math.round(performance.now() - started);
    if (ending === "cancelled")
      return fail({ code: "cancelled", message: "the call was cancelled" }, running);
    if (ending === "timeout") {
      const message = `${entry.tool.name} did not finish within its time limit`;
      return fail({ code: "timeout", message, hint: "ask for less, or try again later" }, running);
    }
    if ("thrown" in ending) return outcomeOf(ending.thrown, call, redactor);
    return { kind: "result", envelope: envelopeOf(entry, ending.result, elapsedMs) };
  };
}
