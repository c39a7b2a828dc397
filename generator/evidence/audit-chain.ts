import { verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { anchorText, GENESIS, recordHash, recordLine } from "#runtime/audit/record";
import { canonicalJson } from "#runtime/json/canonical";

/** What is wrong with a chain, and where. */
export interface Finding {
  readonly code:
    | "not_a_record"
    | "unterminated"
    | "edited"
    | "rewritten"
    | "deleted"
    | "reordered"
    | "duplicate"
    | "restarted"
    | "foreign"
    | "missing_head"
    | "missing_tail"
    | "bad_anchor"
    | "unsigned_anchor"
    | "no_anchor"
    | "missing_chain";
  readonly file: string;
  readonly line: number;
  readonly seq: number | null;
  readonly message: string;
}

export interface ChainFile {
  readonly name: string;
  readonly text: string;
}

export interface ChainQuestion {
  /** Of one chain, the oldest first. */
  readonly files: readonly ChainFile[];
  /** The last anchor as it was kept elsewhere; shows a tail that was cut off. */
  readonly anchor?: ChainFile;
  readonly publicKey?: KeyObject;
  /** Older files were archived: the chain may begin anywhere. */
  readonly partial: boolean;
}

export interface ChainVerdict {
  readonly ok: boolean;
  readonly server: string | null;
  readonly records: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly anchors: number;
  /** Records after the last anchor that counts: nothing but the chain speaks for these. */
  readonly unanchored: number;
  /** Records that the server itself could not write, as it says. */
  readonly lost: number;
  readonly findings: readonly Finding[];
}

/** One record, where it stands, and what it says. */
export interface Row {
  readonly file: string;
  readonly line: number;
  readonly seq: number;
  readonly hash: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Why its bytes are not those that were written. */
  readonly fault: string | undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function faultOf(
  text: string,
  envelope: Readonly<Record<string, unknown>>,
  row: Omit<Row, "fault">,
): string | undefined {
  const { hash: _hash, ...hashed } = row.payload;
  const canonical = canonicalJson(hashed);
  if (recordHash(canonical) !== row.hash) return "its hash is not that of its content";
  const { timestamp, trace_id, source, event_type } = envelope as Readonly<Record<string, string>>;
  const said = { timestamp, trace_id, source, event_type } as Parameters<typeof recordLine>[0];
  const { at, trace_id: trace, server, event } = row.payload;
  const agrees = timestamp === at && trace_id === trace && source === server && event_type === event;
  if (!agrees) return "its envelope is not that of its content";
  return recordLine(said, canonical).line === `${text}\n` ? undefined : "it holds more than was written";
}

function rowOf(text: string, file: string, line: number): Row | undefined {
  try {
    const envelope: unknown = JSON.parse(text);
    const payload = isRecord(envelope) ? envelope["payload"] : undefined;
    if (!isRecord(envelope) || !isRecord(payload)) return undefined;
    const { seq, hash } = payload;
    if (typeof seq !== "number" || !Number.isSafeInteger(seq) || typeof hash !== "string") return undefined;
    const row = { file, line, seq, hash, payload };
    return { ...row, fault: faultOf(text, envelope, row) };
  } catch {
    return undefined;
  }
}

type Report = (
  row: Pick<Row, "file" | "line">,
  code: Finding["code"],
  seq: number | null,
  message: string,
) => void;

function readRows({ files }: ChainQuestion, report: Report): readonly Row[] {
  return files.flatMap(({ name, text }) => {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    const rows = lines.flatMap((each, at) => {
      const row = rowOf(each, name, at + 1);
      if (row === undefined) report({ file: name, line: at + 1 }, "not_a_record", null, "is no audit record");
      return row === undefined ? [] : [row];
    });
    if (rest !== "")
      report(
        { file: name, line: lines.length + 1 },
        "unterminated",
        null,
        "is half a record: a write that was interrupted, or a cut",
      );
    return rows;
  });
}

const span = (from: number, to: number): string =>
  from === to ? `record ${from} is` : `records ${from} to ${to} are`;

interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Whether the row stands where it belongs; the head that the next one is held against. */
function follow(
  row: Row,
  head: Head | undefined,
  present: ReadonlyMap<number, number>,
  report: Report,
): Head {
  const { seq, hash } = row;
  const { prev } = row.payload;
  const here: Head = { seq, hash };
  if (head === undefined) return here;
  if (seq === 1 && prev === GENESIS && head.seq > 0) {
    report(row, "restarted", seq, `a new chain begins after record ${head.seq}`);
    return here;
  }
  if (seq <= head.seq) {
    const isTwice = (present.get(seq) ?? 0) > 1;
    report(
      row,
      isTwice ? "duplicate" : "reordered",
      seq,
      isTwice ? `record ${seq} is there twice` : `record ${seq} stands after record ${head.seq}`,
    );
    return head;
  }
  const missing: number[] = [];
  for (let each = head.seq + 1; each < seq && missing.length < 1_000_000; each += 1)
    if (!present.has(each)) missing.push(each);
  const [from] = missing;
  const to = missing.at(-1);
  if (from !== undefined && to !== undefined)
    report(row, "deleted", from, `${span(from, to)} missing before record ${seq}`);
  else if (seq === head.seq + 1 && prev !== head.hash)
    report(
      row,
      "rewritten",
      head.seq,
      `record ${head.seq} is not the one that record ${seq} was written after`,
    );
  return here;
}

interface Signed {
  readonly server: string;
  readonly seq: number;
  readonly hash: string;
}

/** Why an anchor does not count. */
function anchorFault(
  row: Row,
  publicKey: KeyObject | undefined,
): readonly [Finding["code"], string] | undefined {
  const { anchored_seq: seq, anchored_hash: hash, anchored_at: at, signature, server, prev } = row.payload;
  const claim = { server, seq, hash } as Signed;
  if (claim.seq !== row.seq - 1 || claim.hash !== prev || typeof at !== "string")
    return ["bad_anchor", `anchor ${row.seq} is not of the record before it`];
  if (publicKey === undefined) return undefined;
  if (typeof signature !== "string") return ["unsigned_anchor", `anchor ${row.seq} is not signed`];
  const text = anchorText(claim.server, claim.seq, claim.hash, at);
  return verify(null, text, publicKey, Buffer.from(signature, "base64"))
    ? undefined
    : ["bad_anchor", `anchor ${row.seq} is not signed with this key`];
}

function checkKeptAnchor({ anchor, publicKey }: ChainQuestion, rows: readonly Row[], report: Report): void {
  if (anchor === undefined) return;
  const place = { file: anchor.name, line: 1 };
  const kept = rowOf(anchor.text.trim(), anchor.name, 1);
  if (kept === undefined || kept.fault !== undefined || kept.payload["event"] !== "mcp.audit.anchor")
    return report(place, "bad_anchor", kept?.seq ?? null, "the kept anchor is no anchor as it was written");
  const fault = anchorFault(kept, publicKey);
  if (fault !== undefined) report(place, fault[0], kept.seq, fault[1]);
  const last = rows.reduce((most, { seq }) => Math.max(most, seq), 0);
  const same = rows.find(({ seq }) => seq === kept.seq);
  if (kept.seq > last)
    report(place, "missing_tail", last + 1, `${span(last + 1, kept.seq)} missing at the end`);
  else if (same !== undefined && same.hash !== kept.hash)
    report(
      same,
      "rewritten",
      kept.seq,
      `record ${kept.seq} is not the anchor that was kept: the records before it were written anew`,
    );
}

/** Holds a chain against itself, its anchors, and the anchor that was kept; every fault with its place. */
export function verifyChain(question: ChainQuestion): ChainVerdict {
  return inspectChain(question).verdict;
}

/** The same, with the rows that were read. */
export function inspectChain(question: ChainQuestion): {
  readonly verdict: ChainVerdict;
  readonly rows: readonly Row[];
} {
  const findings: Finding[] = [];
  const report: Report = ({ file, line }, code, seq, message) =>
    findings.push({ code, file, line, seq, message });
  const rows = readRows(question, report);
  const present = new Map<number, number>();
  for (const { seq } of rows) present.set(seq, (present.get(seq) ?? 0) + 1);
  const server = rows[0]?.payload["server"];
  let head: Head | undefined = question.partial ? undefined : { seq: 0, hash: GENESIS };
  let anchors = 0;
  let anchored = 0;
  for (const row of rows) {
    if (row.fault !== undefined) report(row, "edited", row.seq, `record ${row.seq} was edited: ${row.fault}`);
    if (row.payload["server"] !== server)
      report(row, "foreign", row.seq, `record ${row.seq} is of another server`);
    if (head?.seq === 0 && row.seq > 1 && row === rows[0]) {
      report(row, "missing_head", 1, `${span(1, row.seq - 1)} missing at the beginning`);
      head = undefined;
    }
    head = follow(row, head, present, report);
    if (row.payload["event"] !== "mcp.audit.anchor") continue;
    const fault = anchorFault(row, question.publicKey);
    if (fault !== undefined) report(row, fault[0], row.seq, fault[1]);
    else {
      anchors += 1;
      anchored = row.seq;
    }
  }
  checkKeptAnchor(question, rows, report);
  const [first] = rows;
  if (question.publicKey !== undefined && anchors === 0 && first !== undefined)
    report(
      first,
      "no_anchor",
      null,
      "no anchor is signed with this key, so the whole chain could have been written anew",
    );
  const last = head?.seq ?? null;
  const verdict: ChainVerdict = {
    ok: findings.length === 0,
    server: typeof server === "string" ? server : null,
    records: rows.length,
    first: first?.seq ?? null,
    last: last === 0 ? null : last,
    anchors,
    unanchored: rows.filter(({ seq }) => seq > anchored).length,
    lost: rows.reduce(
      (sum, { payload }) => sum + (typeof payload["lost"] === "number" ? payload["lost"] : 0),
      0,
    ),
    findings,
  };
  return { verdict, rows };
}
