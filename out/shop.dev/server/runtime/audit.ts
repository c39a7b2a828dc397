import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { RequestFacts } from "#runtime/exchange";
import { policyRow } from "#runtime/policy-gate";
import { StartError } from "#runtime/start-error";

/** The record of every request, one JSON line each, in the order in which they ended. */
export interface Audit {
  /** On the disk before it returns; throws when it cannot be. Written before a write tool runs. */
  attempt(requestId: string, facts: RequestFacts): void;
  /** Never throws: the answer has been given, so a lost row is reported on stderr instead. */
  result(requestId: string, facts: RequestFacts, end: RequestEnd): void;
  close(): void;
}
export interface RequestEnd {
  readonly status: number;
  readonly bytesOut: number;
  readonly latencyMs: number;
}

/** Where lines go. `append` returns when the line is durable and throws when it is not. */
interface Sink {
  append(line: string, durable: boolean): void;
  close(): void;
}

function fileSink(path: string): Sink {
  let file: number;
  try {
    file = openSync(path, "a", 0o600);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new StartError(
      `MCP_AUDIT_FILE cannot be opened for appending (${why}): name a file in a writable folder`,
    );
  }
  return {
    append: (line, durable) => {
      const bytes = Buffer.from(line);
      let written = 0;
      while (written < bytes.length) written += writeSync(file, bytes, written);
      if (durable) fsyncSync(file);
    },
    close: () => closeSync(file),
  };
}

/** stdout belongs to the protocol when the transport is stdio, so lines go to stderr. */
const STDERR_SINK: Sink = {
  append: (line) => void process.stderr.write(line),
  close: () => undefined,
};

function payloadOf(
  requestId: string,
  phase: "attempt" | "result",
  facts: RequestFacts,
): Record<string, unknown> {
  const { principal } = facts;
  return {
    v: 1,
    phase,
    request_id: requestId,
    key_id: principal?.id ?? null,
    human_id: principal?.human ?? null,
    agent_id: principal?.agent ?? null,
    team_id: principal?.team ?? null,
    rpc_method: facts.method ?? null,
    tool_name: facts.tool ?? null,
    link: facts.link ?? null,
    argsSha: facts.argsSha ?? null,
    ...(facts.args === undefined ? {} : { args_redacted: facts.args }),
    ...policyRow(facts.policy),
    ...(facts.proposal === undefined ? {} : { proposal_id: facts.proposal }),
    ...(facts.approvedBy === undefined ? {} : { approved_by: facts.approvedBy }),
    ...(facts.ignored === undefined || facts.ignored.length === 0 ? {} : { header_ignored: facts.ignored }),
    decision: facts.decision ?? "allow",
    reason: facts.reason ?? "allowed",
  };
}

/**
 * Opens the audit: a file that is only ever appended to, or stderr. Throws a StartError when the file
 * cannot be opened, because a server that cannot account for itself must not start.
 */
export function openAudit(source: string, path: string | undefined): Audit {
  const sink = path === undefined || path === "" ? STDERR_SINK : fileSink(path);
  // The one place where a row becomes a line; a hash chain would take its previous hash here.
  const write = (requestId: string, payload: Record<string, unknown>, durable: boolean): void => {
    const row = {
      timestamp: new Date().toISOString(),
      trace_id: requestId,
      source,
      event_type: "mcp.request",
      payload,
    };
    sink.append(`${JSON.stringify(row)}\n`, durable);
  };
  return {
    attempt: (requestId, facts) => write(requestId, payloadOf(requestId, "attempt", facts), true),
    result: (requestId, facts, end) => {
      // What the protocol library turned away by itself left no facts, only its status.
      const verdict: RequestFacts = end.status < 400 ? {} : { decision: "deny", reason: "protocol_error" };
      const payload = {
        ...payloadOf(requestId, "result", { ...verdict, ...facts }),
        ok: facts.ok ?? end.status < 400,
        status: end.status,
        error_class: facts.fault ?? null,
        latency_ms: end.latencyMs,
        bytes_out: end.bytesOut,
      };
      try {
        write(requestId, payload, false);
      } catch (cause) {
        const why = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
        process.stderr.write(`audit row of request ${requestId} was not written: ${why}\n`);
      }
    },
    close: () => sink.close(),
  };
}
