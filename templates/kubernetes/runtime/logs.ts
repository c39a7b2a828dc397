import { requestText } from "#runtime/http";
import { PODS, pathOf } from "#runtime/kubernetes/api";
import type { Access } from "#runtime/kubernetes/api";
import type { ToolResult } from "#runtime/tool";

const MAX_LINE = 1024;
const MAX_LOG_BYTES = 2 * 1024 * 1024;
/** Lines that a search looks through. */
export const MAX_SEARCHED = 5000;

export interface LogSearch {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string | undefined;
  readonly tail: number;
  readonly sinceSeconds: number;
  readonly previous: boolean;
  /** Text that a line must hold; not a pattern. */
  readonly grep: string | undefined;
}

function cutLine(line: string): string {
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line;
}

/** One line more than needed is asked for, so that there being more is a fact and not a guess. */
function truncationOf(
  search: LogSearch,
  read: number,
  asked: number,
  matching: number,
  bytes: number,
): Partial<ToolResult> {
  const hint = "narrow with since, container or grep";
  if (bytes >= MAX_LOG_BYTES) return { truncation: { by: "bytes", limit: MAX_LOG_BYTES, hint } };
  if (matching > search.tail) return { truncation: { by: "rows", limit: search.tail, hint } };
  if (read >= asked) return { truncation: { by: "rows", limit: asked - 1, hint } };
  return {};
}

/** The end of a container's log, oldest line first, each with its time. */
export async function podLog({ cluster, signal }: Access, search: LogSearch): Promise<ToolResult> {
  const { namespace, pod, container, tail, sinceSeconds, previous, grep } = search;
  const asked = (grep === undefined ? tail : MAX_SEARCHED) + 1;
  const query = {
    container,
    previous,
    sinceSeconds: Math.ceil(sinceSeconds),
    tailLines: asked,
    limitBytes: MAX_LOG_BYTES,
    timestamps: true,
  };
  const text = await requestText(cluster, { path: pathOf(PODS, namespace, pod, "log"), query, signal });
  const lines = text.split("\n").filter((line) => line !== "");
  const matching = grep === undefined ? lines : lines.filter((line) => line.includes(grep));
  const shown = matching.slice(-tail).map(cutLine);
  return {
    data: { pod, ...(container === undefined ? {} : { container }), lines: shown },
    page: { returned: shown.length, total: null, next_cursor: null },
    ...truncationOf(search, lines.length, asked, matching.length, Buffer.byteLength(text)),
  };
}
