import { randomBytes } from "node:crypto";

/** Where a request stands in somebody's trace, as W3C's `traceparent` says it. */
export interface TraceContext {
  readonly traceId: string;
  /** The caller's span; `null` when the trace begins here. */
  readonly parentId: string | null;
  readonly spanId: string;
  /** Whether the caller wants it recorded; a trace that begins here is. */
  readonly isSampled: boolean;
}

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

function newId(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

/** What is no `traceparent` is no parent: nothing is refused for it. */
export function traceOf(traceparent: unknown): TraceContext | undefined {
  const [, traceId, parentId, flags = "00"] =
    typeof traceparent === "string" ? (TRACEPARENT.exec(traceparent) ?? []) : [];
  if (traceId === undefined || parentId === undefined) return undefined;
  return { traceId, parentId, spanId: newId(8), isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function newTrace(): TraceContext {
  return { traceId: newId(16), parentId: null, spanId: newId(8), isSampled: true };
}

/** `params._meta.traceparent` of a request; it stands nearer to the caller than the header. */
export function traceInBody(body: unknown): TraceContext | undefined {
  const member = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null && Object.hasOwn(value, key)
      ? (value as Readonly<Record<string, unknown>>)[key]
      : undefined;
  return traceOf(member(member(member(body, "params"), "_meta"), "traceparent"));
}
