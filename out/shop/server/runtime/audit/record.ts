import { hash } from "node:crypto";
import { canonicalJson } from "#runtime/json/canonical";

/** What the first record of a chain has for the hash before it. */
export const GENESIS = "0".repeat(64);

/** Records after which an anchor is due, unless the operator wants more or fewer. */
export const ANCHOR_EVERY = 1_000;

/** The envelope in which mcp-runtime passes events on; the payload repeats it, because only that is hashed. */
export interface RecordEnvelope {
  readonly timestamp: string;
  readonly trace_id: string;
  readonly source: string;
  readonly event_type: string;
}

export function recordHash(canonicalPayload: string): string {
  return hash("sha256", `mcp-audit\0v1\0${canonicalPayload}`, "hex");
}

/** The one line of a record: what is read back and written again must give the same bytes. */
export function recordLine(
  { timestamp, trace_id, source, event_type }: RecordEnvelope,
  canonicalPayload: string,
): { readonly line: string; readonly hash: string } {
  const digest = recordHash(canonicalPayload);
  const envelope = JSON.stringify({ timestamp, trace_id, source, event_type });
  const line = `${envelope.slice(0, -1)},"payload":${canonicalPayload.slice(0, -1)},"hash":"${digest}"}}\n`;
  return { line, hash: digest };
}

/** What an anchor's signature is made over: the head of the chain, and whose chain it is. */
export function anchorText(server: string, seq: number, head: string, at: string): Buffer {
  return Buffer.from(`mcp-audit-anchor\0v1\0${canonicalJson({ at, hash: head, seq, server })}`);
}
