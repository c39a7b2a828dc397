import { createHash, createPublicKey, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { anchorText, GENESIS, recordLine } from "#runtime/audit/record";
import type { AuditSettings } from "#runtime/audit/settings";
import { codeOf } from "#runtime/audit/sink";
import type { Head, Sink } from "#runtime/audit/sink";
import { canonicalJson } from "#runtime/json/canonical";
import type { Forwarder } from "#runtime/http/forwarder";

type Payload = Readonly<Record<string, unknown>>;

/** Of a request, and of the trace that it is part of. */
export interface RecordId {
  readonly request: string;
  readonly trace: string;
}

/** Records, each of which holds the hash of the one before: none can be changed, moved or taken out unseen. */
export interface Chain {
  /** Throws when the record does not stand; the chain then goes on as if it had never been tried. */
  append(eventType: string, id: RecordId, payload: Payload, durable: boolean): void;
  /** What the audit itself has to say; asks for no anchor, so that an idle server writes nothing. Throws as well. */
  note(eventType: string, payload: Payload, durable: boolean): void;
  /** The last record, made durable; throws when it cannot be. */
  readonly settledHead: () => Head;
  readonly head: () => Head;
  /** Where records came after the last anchor; a failure is said, never thrown. */
  anchor(): void;
  /** A record was given up: the next one says how many were, so that the gap is on the record. */
  noteLost(): void;
  readonly counts: () => { readonly seq: number; readonly failures: number };
  /** Ends with an anchor. */
  close(): void;
}

const ANCHOR_MS = 60_000;

/** Of what the audit itself has to say. */
function ownId(what: string): RecordId {
  return { request: what, trace: what };
}

/** Which key it is, for people who have several: digest of its public half. */
export function keyIdOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}

export function openChain(
  source: string,
  sink: Sink,
  { key, anchorEvery }: Pick<AuditSettings, "key" | "anchorEvery">,
  forwarder: Forwarder | undefined,
): Chain {
  const signer = key === undefined ? undefined : { key, id: keyIdOf(key) };
  let head: Head = sink.head ?? { seq: 0, hash: GENESIS };
  /** Records that no anchor speaks for. */
  let pending = 0;
  let durableSeq = head.seq;
  let lost = 0;
  let failures = 0;

  const write = (
    eventType: string,
    { request, trace }: RecordId,
    payload: Payload,
    durable: boolean,
  ): string => {
    const at = new Date().toISOString();
    const whole = canonicalJson({
      ...payload,
      v: 1,
      at,
      event: eventType,
      server: source,
      request_id: request,
      trace_id: trace,
      seq: head.seq + 1,
      prev: head.hash,
      ...(lost === 0 ? {} : { lost }),
    });
    const envelope = { timestamp: at, trace_id: trace, source, event_type: eventType };
    const { line, hash } = recordLine(envelope, whole);
    sink.append(line, durable);
    head = { seq: head.seq + 1, hash };
    if (durable) durableSeq = head.seq;
    lost = 0;
    forwarder?.send(line.trimEnd());
    return line;
  };

  /** Says how far the chain has come, under the operator's signature if there is a key. */
  const anchor = (): void => {
    if (pending === 0) return;
    const at = new Date().toISOString();
    const { seq, hash } = head;
    const signature = signer && sign(null, anchorText(source, seq, hash, at), signer.key).toString("base64");
    const line = write(
      "mcp.audit.anchor",
      ownId(`anchor-${seq}`),
      {
        phase: "anchor",
        anchored_seq: seq,
        anchored_hash: hash,
        anchored_at: at,
        ...(signer === undefined ? {} : { key_id: signer.id, signature }),
        ...(forwarder === undefined ? {} : { forward: forwarder.counts() }),
      },
      true,
    );
    pending = 0;
    sink.keepAnchor(line);
  };
  /** Evidence about the chain, never a reason to refuse a call: what fails is said, and tried again later. */
  const tend = (work: () => void): void => {
    try {
      work();
    } catch (cause) {
      failures += 1;
      process.stderr.write(`audit: the chain could not be anchored or put aside: ${codeOf(cause)}\n`);
    }
  };

  if (sink.torn !== undefined) {
    write("mcp.audit.recovered", ownId("recovery"), { phase: "recovered", torn: sink.torn }, true);
    pending += 1;
  }
  const timer = setInterval(() => tend(anchor), ANCHOR_MS);
  timer.unref();
  return {
    append: (eventType, id, payload, durable) => {
      try {
        write(eventType, id, payload, durable);
        pending += 1;
      } catch (cause) {
        failures += 1;
        throw cause;
      }
      tend(() => {
        if (sink.isFull()) {
          anchor();
          sink.rotate(head.seq);
        } else if (pending >= anchorEvery) anchor();
      });
    },
    note: (eventType, payload, durable) =>
      void write(eventType, ownId(`${eventType.split(".").at(-1)}-${head.seq + 1}`), payload, durable),
    settledHead: () => {
      if (durableSeq < head.seq) sink.sync();
      durableSeq = head.seq;
      return head;
    },
    head: () => head,
    anchor: () => tend(anchor),
    noteLost: () => void (lost += 1),
    counts: () => ({ seq: head.seq, failures }),
    close: () => {
      clearInterval(timer);
      tend(anchor);
      sink.close();
    },
  };
}
