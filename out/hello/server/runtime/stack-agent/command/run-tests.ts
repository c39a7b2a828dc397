import { ToolFault } from "#runtime/fault";
import type { Engine, FoundRows } from "#runtime/stack-agent/engine";
import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import type { ToolResult } from "#runtime/tool";
import type { Span } from "./row-context.ts";
import type { ParsedTest, Tester } from "./tester.ts";

export const MAX_TESTED = 50;
const PARALLEL = 4;
/** For all rows together; below the limit of a call, so that what is known by then is answered. */
const TOTAL_MS = 50_000;
/** Characters of output that all rows share, so that the answer stays within a result. */
const SHOWN = 40_000;
const LEAST_SHOWN = 500;

export interface TestCall {
  readonly engine: Engine;
  readonly tester: Tester;
  /** As `Engine.query` takes it, with a command. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Whether the caller can ask for the next page; else what is left out is said. */
  readonly pages: boolean;
  /** Whether the caller knows that a command may write, where its link's gate is open. */
  readonly mayWrite: boolean;
  readonly signal: AbortSignal;
}

/** Tests rows a few at a time and keeps their order. */
async function testAll(
  rows: readonly Row[],
  test: ParsedTest,
  tester: Tester,
  span: Span,
): Promise<readonly AnswerRow[]> {
  const answers: AnswerRow[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < rows.length; at = next++)
      answers[at] = await tester.test(rows[at] as Row, test, span);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, rows.length) }, work));
  return answers;
}

/** `passed` only when every row passed; `incomplete` when none failed, but some did not run. */
function overall(answers: readonly AnswerRow[]): string {
  const statuses = new Set(answers.map(({ status }) => status));
  if (statuses.has("failed") || statuses.has("timeout")) return "failed";
  return statuses.has("refused") || statuses.has("not_linked") || answers.length === 0
    ? "incomplete"
    : "passed";
}

/** When not one row ran, the reason is the answer to the call itself. */
function demandSome(answers: readonly AnswerRow[]): void {
  const [first] = answers;
  if (first === undefined || answers.some(({ status }) => status !== "not_linked")) return;
  throw new ToolFault("not_linked", String(first["message"]), {
    hint: String(first["hint"] ?? "list_components names what there is"),
  });
}

interface Shown {
  readonly status: string;
  readonly results: readonly AnswerRow[];
  readonly warnings: readonly string[];
}

function resultOf({ status, results, warnings }: Shown, found: FoundRows, pages: boolean): ToolResult {
  const total = found.next_cursor === null ? results.length : null;
  const next_cursor = pages ? found.next_cursor : null;
  return {
    data: { status, results },
    page: { returned: results.length, total, next_cursor },
    ...(total === null && !pages
      ? { truncation: { by: "rows", limit: MAX_TESTED, hint: "narrow source or where" } }
      : {}),
    warnings,
  };
}

async function preview(
  { engine, tester, body }: TestCall,
  { rows }: FoundRows,
  test: ParsedTest,
): Promise<Shown> {
  const results = await Promise.all(rows.map(async (row) => await tester.preview(row, test)));
  return { status: "dry_run", results, warnings: engine.query(body).warnings };
}

async function run(
  { tester, mayWrite, signal }: TestCall,
  { rows }: FoundRows,
  test: ParsedTest,
): Promise<Shown> {
  const shown = Math.max(LEAST_SHOWN, Math.floor(SHOWN / (2 * Math.max(1, rows.length))));
  const ends = AbortSignal.any([signal, AbortSignal.timeout(TOTAL_MS)]);
  const span = { signal: ends, until: performance.now() + TOTAL_MS, shown, mayWrite };
  const results = await testAll(rows, test, tester, span);
  signal.throwIfAborted();
  demandSome(results);
  return { status: overall(results), results, warnings: tester.warnings() };
}

/**
 * The whole of one `run_test`: finds the rows, reads the commands once, and tests every row, or shows what would
 * be run. Rejects with a CommandRefused for commands that may run nowhere, and with `not_linked` when no link
 * leads to any of the rows.
 */
export async function runTests(call: TestCall): Promise<ToolResult> {
  const limit = Math.min(Number(call.body["limit"] ?? MAX_TESTED), MAX_TESTED);
  const body = { ...call.body, limit };
  const found = call.engine.find(body);
  if (found.command === null) throw new ToolFault("invalid_argument", "command is missing");
  const test = call.tester.parse(found.command);
  const work = found.command.dry_run ? preview : run;
  return resultOf(await work({ ...call, body }, found, test), found, call.pages);
}
