import { requestText } from "#runtime/http";
import { PODS, pathOf } from "#runtime/kubernetes/api";
import type { Access } from "#runtime/kubernetes/api";
import type { ToolResult } from "#runtime/tool";

const MAX_LINE = 1024;
/** Below what is read of any answer. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;
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

interface Read {
  readonly lines: readonly string[];
  /** How many were asked for. */
  readonly asked: number;
  readonly isCut: boolean;
}

/**
 * The last lines of a log. A kubelet that reaches its limit of bytes leaves out the newest lines, which are the
 * ones wanted, so then fewer lines are asked for.
 */
async function lastLines(
  { cluster, signal }: Access,
  search: LogSearch,
  asked: number,
  isCut = false,
): Promise<Read> {
  const { namespace, pod, container, sinceSeconds, previous } = search;
  const query = {
    container,
    previous,
    sinceSeconds: Math.ceil(sinceSeconds),
    tailLines: asked,
    limitBytes: MAX_LOG_BYTES,
    timestamps: true,
  };
  const text = await requestText(cluster, { path: pathOf(PODS, namespace, pod, "log"), query, signal });
  if (Buffer.byteLength(text) >= MAX_LOG_BYTES && asked > 1) {
    return await lastLines({ cluster, signal }, search, Math.ceil(asked / 4), true);
  }
  return { lines: text.split("\n").filter((line) => line !== ""), asked, isCut };
}

/** One line more than needed is asked for, so that there being more is a fact and not a guess. */
function truncationOf({ lines, asked, isCut }: Read, matching: number, tail: number): Partial<ToolResult> {
  const hint = "narrow with since, container or grep";
  if (matching > tail) return { truncation: { by: "rows", limit: tail, hint } };
  if (isCut) return { truncation: { by: "bytes", limit: MAX_LOG_BYTES, hint } };
  return lines.length < asked ? {} : { truncation: { by: "rows", limit: asked - 1, hint } };
}

/** The end of a container's log, oldest line first, each with its time. */
export async function podLog(access: Access, search: LogSearch): Promise<ToolResult> {
  const { pod, container, tail, grep } = search;
  const read = await lastLines(access, search, (grep === undefined ? tail : MAX_SEARCHED) + 1);
  const matching = grep === undefined ? read.lines : read.lines.filter((line) => line.includes(grep));
  const shown = matching.slice(-tail).map(cutLine);
  return {
    data: {
      pod,
      ...(container === undefined ? {} : { container }),
      ...(grep === undefined ? {} : { searched: read.lines.length }),
      lines: shown,
    },
    page: { returned: shown.length, total: null, next_cursor: null },
    ...truncationOf(read, matching.length, tail),
  };
}
