import type { FaultCode } from "#runtime/fault";
import type { ToolResult } from "#runtime/tool";

export interface Truncation {
  readonly by: "rows" | "bytes" | "cells" | "time" | "upstream";
  readonly limit: number;
  readonly hint?: string;
}

/** What every tool of every service answers: one shape, so that a client learns it once. */
export interface Envelope {
  /** The linked component's key. */
  readonly service: string;
  readonly link: string;
  readonly tool: string;
  readonly data: unknown;
  readonly page: NonNullable<ToolResult["page"]> | null;
  readonly truncated: boolean;
  readonly truncation: Truncation | null;
  readonly elapsed_ms: number;
  readonly redactions: number;
  readonly warnings: readonly string[];
}

/** What the caller reads when a call fails. */
export interface Fault {
  readonly code: FaultCode;
  readonly message: string;
  readonly hint?: string;
  /** A change to review instead of the call, as `git apply` takes it. */
  readonly patch?: string;
  /** When the same call can be let through again. */
  readonly retry_after_ms?: number;
  /** What waits for a person, and until when. */
  readonly proposal_id?: string;
  readonly argsSha?: string;
  readonly expires_at?: string;
}

/** The envelope's JSON; `data` is that of its data, which may be large and is often known. */
export function envelopeJson(envelope: Envelope, data: string | undefined): string {
  if (data === undefined) return JSON.stringify(envelope);
  const { service, link, tool, data: _, ...rest } = envelope;
  const head = JSON.stringify({ service, link, tool });
  return `${head.slice(0, -1)},"data":${data},${JSON.stringify(rest).slice(1)}`;
}
