import { readFile } from "node:fs/promises";
import { openChain } from "#runtime/audit/chain";
import type { RecordId } from "#runtime/audit/chain";
import { openHeads } from "#runtime/audit/heads";
import type { HeadRegistry } from "#runtime/audit/heads";
import type { AuditSettings } from "#runtime/audit/settings";
import { codeOf, fileSink, streamSink } from "#runtime/audit/sink";
import type { RequestEnd, RequestFacts } from "#runtime/call/exchange";
import { createForwarder } from "#runtime/http/forwarder";
import type { Forwarder, ForwardCounts } from "#runtime/http/forwarder";
import { policyRow } from "#runtime/policy/gate";

/** The record of every request, one JSON line each and each bound to the one before, in the order in which they ended. */
export interface Audit {
  /**
   * Resolves when it is on the disk and, where replicas share state, the head of the chain is registered with it;
   * rejects when either cannot be. Written before a write tool runs.
   */
  attempt(requestId: string, facts: RequestFacts): Promise<void>;
  /** Never throws: the answer has been given, so a lost row is reported on stderr instead. */
  result(requestId: string, facts: RequestFacts, end: RequestEnd): void;
  /** For metrics. */
  counts(): AuditCounts;
  /** Ends the chain with an anchor, and waits a moment for what is still to be forwarded. */
  close(): Promise<void>;
}
export interface AuditCounts {
  readonly seq: number;
  readonly failures: number;
  /** Missing when nothing is forwarded. */
  readonly forward: ForwardCounts | undefined;
}

function idOf(request: string, { trace }: RequestFacts): RecordId {
  return { request, trace: trace?.traceId ?? request };
}

/** Which rule decided, and what else was considered; nothing where no rule has anything to say. */
function ruleFacts({ verdict, engine, changeRef }: RequestFacts): Record<string, unknown> {
  const isSilent = verdict === undefined || verdict.considered.length === 0;
  return {
    ...(isSilent ? {} : { rule: verdict }),
    ...(engine === undefined ? {} : { engine }),
    ...(changeRef === undefined ? {} : { change_ref: changeRef }),
  };
}

function payloadOf(phase: "attempt" | "result", facts: RequestFacts): Record<string, unknown> {
  const { principal, component, tool } = facts;
  return {
    phase,
    ...(tool === undefined || component === undefined ? {} : { action: `mcp.tool.${component}.${tool}` }),
    key_id: principal?.id ?? null,
    human_id: principal?.human ?? null,
    agent_id: principal?.agent ?? null,
    subject_team_id: principal?.team ?? null,
    mcp_session_id: facts.mcpSession ?? null,
    rpc_method: facts.method ?? null,
    tool_name: tool ?? null,
    link: facts.link ?? null,
    argsSha: facts.argsSha ?? null,
    ...(facts.args === undefined ? {} : { args_redacted: facts.args }),
    ...ruleFacts(facts),
    ...policyRow(facts.policy),
    ...(facts.proposal === undefined ? {} : { proposal_id: facts.proposal }),
    ...(facts.approvedBy === undefined ? {} : { approved_by: facts.approvedBy }),
    ...(facts.replayed === undefined ? {} : { replayed: true }),
    ...(facts.ignored === undefined || facts.ignored.length === 0 ? {} : { header_ignored: facts.ignored }),
    decision: facts.decision ?? "allow",
    reason: facts.reason ?? "allowed",
  };
}

/** A copy of every record for somebody else. */
function copyTo({ url, keyFile }: NonNullable<AuditSettings["forward"]>): Forwarder {
  return createForwarder({
    url,
    headersFor: async (): Promise<Readonly<Record<string, string>>> =>
      keyFile === undefined ? {} : { "x-api-key": (await readFile(keyFile, "utf8")).trim() },
    complaint: (lost) => `audit: ${lost} records could not be forwarded so far`,
    attempts: 3,
    mostWaiting: 10_000,
  });
}

/**
 * Opens the audit: a file that is only ever appended to, or stderr, since stdout belongs to the protocol when the
 * transport is stdio. Throws a StartError when the file cannot be opened or is not what it was, because a server
 * that cannot account for itself must not start. `registry` is where replicas say how far their chains have come.
 */
export function openAudit(source: string, settings: AuditSettings, registry?: HeadRegistry): Audit {
  const { file, maxBytes, forward } = settings;
  const sink = file === undefined ? streamSink(process.stderr) : fileSink(file, maxBytes);
  const forwarder = forward === undefined ? undefined : copyTo(forward);
  const chain = openChain(source, sink, settings, forwarder);
  const heads = registry === undefined ? undefined : openHeads(registry, chain);
  return {
    attempt: async (requestId, facts) => {
      chain.append("mcp.request", idOf(requestId, facts), payloadOf("attempt", facts), true);
      await heads?.reach();
    },
    result: (requestId, facts, end) => {
      // What the protocol library turned away by itself left no facts, only its status.
      const verdict: RequestFacts = end.status < 400 ? {} : { decision: "deny", reason: "protocol_error" };
      const payload = {
        ...payloadOf("result", { ...verdict, ...facts }),
        ok: facts.ok ?? end.status < 400,
        status: end.status,
        error_class: facts.fault ?? null,
        latency_ms: end.latencyMs,
        bytes_out: end.bytesOut,
      };
      try {
        chain.append("mcp.request", idOf(requestId, facts), payload, false);
      } catch (cause) {
        chain.noteLost();
        process.stderr.write(`audit row of request ${requestId} was not written: ${codeOf(cause)}\n`);
      }
    },
    counts: () => ({ ...chain.counts(), forward: forwarder?.counts() }),
    close: async () => {
      await heads?.close();
      chain.close();
      await forwarder?.close();
    },
  };
}
