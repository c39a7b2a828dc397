import { ToolFault } from "#runtime/fault";
import type { Engine, FoundRows } from "#runtime/stack-agent/engine";
import type { AnswerRow } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import type { ToolResult } from "#runtime/tool";
import type { ParsedTest, Span, Tester } from "./tester.ts";

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

function resultOf(
  status: string,
  results: readonly AnswerRow[],
  { more }: FoundRows,
  warnings: readonly string[],
): ToolResult {
  return {
    data: { status, results },
    page: { returned: results.length, total: more ? null : results.length, next_cursor: null },
    ...(more ? { truncation: { by: "rows", limit: MAX_TESTED, hint: "narrow source or where" } } : {}),
    warnings,
  };
}

/**
 * The whole of one `run_test`: finds the rows, reads the commands once, and tests every row, or shows what would
 * be run. Rejects with a CommandRefused for commands that may run nowhere, and with `not_linked` when no link
 * leads to any of the rows.
 */
export async function runTests({ engine, tester, body, signal }: TestCall): Promise<ToolResult> {
  const found = engine.find({ ...body, limit: MAX_TESTED });
  if (found.command === null) throw new ToolFault("invalid_argument", "command is missing");
  const test = tester.parse(found.command);
  if (found.command.dry_run) {
    const { warnings } = engine.query({ ...body, limit: MAX_TESTED });
    return resultOf(
      "dry_run",
      found.rows.map((row) => tester.preview(row, test)),
      found,
      warnings,
    );
  }
  const shown = Math.max(LEAST_SHOWN, Math.floor(SHOWN / (2 * Math.max(1, found.rows.length))));
  const over = AbortSignal.timeout(TOTAL_MS);
  const span = { signal: AbortSignal.any([signal, over]), until: performance.now() + TOTAL_MS, shown };
  const answers = await testAll(found.rows, test, tester, span);
  signal.throwIfAborted();
  demandSome(answers);
  return resultOf(overall(answers), answers, found, []);
}
