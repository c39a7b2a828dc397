import { ToolFault } from "#runtime/fault";
import { firstPart } from "#runtime/page";
import type { ToolResult } from "#runtime/tool";
import { MAX_ROWS, MAX_TEXT } from "#runtime/fastapi/limits";
import type { Shape } from "#runtime/fastapi/operation";

const MAX_REASON = 300;

/** The members that the document names, wherever lists stand between them. */
function project(value: unknown, shape: Shape | undefined): unknown {
  if (shape === undefined || shape === true || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => project(each, shape));
  const members = Object.entries(value).filter(([name]) => Object.hasOwn(shape, name));
  return Object.fromEntries(members.map(([name, member]) => [name, project(member, shape[name])]));
}

function parsed(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    // Not JSON: a text, or something that is none.
    return undefined;
  }
}

function textResult(text: string): ToolResult {
  // What is no UTF-8 was read as U+FFFD.
  if (/[\u0000\ufffd]/.test(text))
    throw new ToolFault("upstream_unavailable", "the answer is neither JSON nor text", {
      hint: "this operation gives a file: it is of no use here",
    });
  if (text.length <= MAX_TEXT) return { data: { text } };
  const truncation = {
    by: "bytes",
    limit: MAX_TEXT,
    hint: "only the beginning of the text is shown",
  } as const;
  return { data: { text: text.slice(0, MAX_TEXT) }, truncation };
}

/** The answer as a result: members that the document does not name are gone, and a long list is cut. */
export function resultOf(text: string, shape: Shape): ToolResult {
  if (text === "") return { data: null };
  const found = parsed(text);
  if (found === undefined) return textResult(text);
  const data = project(found.json, shape);
  if (!Array.isArray(data)) return { data };
  const { items, about } = firstPart(data, MAX_ROWS, "ask for less with the tool's own parameters");
  return { ...about, data: items };
}

/** What was wrong with the arguments, as FastAPI says it: a list of places and messages. */
export function faultIn(status: number, text: string): ToolFault | undefined {
  if (status !== 422) return undefined;
  const body = parsed(text)?.json;
  const detail: unknown =
    typeof body === "object" && body !== null && "detail" in body ? body.detail : undefined;
  if (!Array.isArray(detail)) return undefined;
  const problems = detail.slice(0, 5).flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null) return [];
    const { loc, msg } = each as { loc?: unknown; msg?: unknown };
    const where = Array.isArray(loc) ? loc.slice(1).map(String).join(".") : "";
    return typeof msg === "string" ? [`${where}: ${msg}`] : [];
  });
  return problems.length === 0
    ? undefined
    : new ToolFault("invalid_argument", `the service refused: ${problems.join("; ").slice(0, MAX_REASON)}`);
}
