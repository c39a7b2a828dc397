/** Readers for the answers of services: what has another shape than documented is a fault, never a crash. */
import { ToolFault } from "#runtime/fault";

export function foreignAnswer(): ToolFault {
  return new ToolFault("upstream_unavailable", "the answer has another shape than this service's API gives", {
    hint: "something else may answer at the link's address",
  });
}

/** The value as an object; anything else is not an answer of the service. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw foreignAnswer();
  return value as Readonly<Record<string, unknown>>;
}

/** The value as a list, likewise. */
export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw foreignAnswer();
  return value;
}

/** Text of at most `max` characters; what is absent is empty. */
export function cutText(value: unknown, max: number): string {
  const text = typeof value === "string" ? value : "";
  return text.length > max ? `${text.slice(0, max)}…` : text;
}
