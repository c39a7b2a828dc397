import { inspectChain, isRecord } from "./audit-chain.ts";
import type { ChainFile, ChainQuestion, ChainVerdict, Finding, Row } from "./audit-chain.ts";

/** What one process registered of its chain, as somebody else kept it. */
interface Statement {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  /** Where that is written down. */
  readonly file: string;
  readonly line: number;
}

export interface ReplicaFiles extends Pick<ChainQuestion, "files" | "anchor"> {
  /** As people call it. */
  readonly name: string;
}

export interface SetQuestion {
  /** The files of each replica with its kept anchor. */
  readonly chains: readonly ReplicaFiles[];
  /** What the shared state has, one head a line. */
  readonly registered?: ChainFile;
  readonly publicKey?: ChainQuestion["publicKey"];
  /** Older files were archived, so a chain that is not there is no fault. */
  readonly partial: boolean;
}

export interface SetVerdict {
  readonly ok: boolean;
  readonly chains: readonly ChainVerdict[];
  /** Processes that wrote these files, and processes of which heads were registered. */
  readonly opened: number;
  readonly registered: number;
  /** With `partial`: chains of which no file is here. */
  readonly absent: readonly string[];
  /** What the files say of each other and the registry of them; the rest stands with each chain. */
  readonly findings: readonly Finding[];
}

const HEAD_ROW = /^\d+ (?<chain>\S+) (?<seq>\d+) (?<hash>[0-9a-f]{64}) \d+$/;

function statementsIn(rows: readonly Row[]): readonly Statement[] {
  return rows.flatMap(({ payload, file, line }) => {
    if (payload["event"] !== "mcp.audit.heads" || !Array.isArray(payload["heads"])) return [];
    return payload["heads"].flatMap((head: unknown): readonly Statement[] => {
      if (!isRecord(head)) return [];
      const { chain, seq, hash } = head;
      if (typeof chain !== "string" || typeof seq !== "number" || typeof hash !== "string") return [];
      return [{ chain, seq, hash, file, line }];
    });
  });
}

/** The lines of `HVALS`; the one that counts revisions says nothing of a chain. */
function registeredIn({ name, text }: ChainFile, findings: Finding[]): readonly Statement[] {
  return text.split("\n").flatMap((line, at): readonly Statement[] => {
    const { chain, seq, hash } = HEAD_ROW.exec(line)?.groups ?? {};
    if (chain !== undefined && seq !== undefined && hash !== undefined)
      return [{ chain, seq: Number(seq), hash, file: name, line: at + 1 }];
    if (line !== "" && !/^\d+$/.test(line))
      findings.push({
        code: "not_a_record",
        file: name,
        line: at + 1,
        seq: null,
        message: "is no registered head",
      });
    return [];
  });
}

interface Group {
  readonly name: string;
  readonly bySeq: ReadonlyMap<number, string>;
  readonly last: number;
}

function groupOf({ name }: ReplicaFiles, rows: readonly Row[]): Group {
  return {
    name,
    bySeq: new Map(rows.map(({ seq, hash }) => [seq, hash])),
    last: rows.reduce((most, { seq }) => Math.max(most, seq), 0),
  };
}

/** Why a registered head does not fit the files of its chain. */
function faultOf({ chain, seq, hash, file, line }: Statement, group: Group): Finding | undefined {
  const said = `${file}:${line} has record ${seq} of ${chain}`;
  const place = { file: group.name, line: 1 };
  if (seq > group.last) {
    const from = group.last + 1;
    const span = from === seq ? `record ${seq} is` : `records ${from} to ${seq} are`;
    return { code: "missing_tail", ...place, seq: from, message: `${span} missing at the end: ${said}` };
  }
  const found = group.bySeq.get(seq);
  if (found === undefined || found === hash) return undefined;
  return {
    code: "rewritten",
    ...place,
    seq,
    message: `record ${seq} is not the one that was registered: ${said}`,
  };
}

/** The statement that tells most about each chain: the last head that was registered. */
function newestOf(statements: readonly Statement[]): ReadonlyMap<string, Statement> {
  const newest = new Map<string, Statement>();
  for (const statement of statements)
    if (statement.seq > (newest.get(statement.chain)?.seq ?? 0)) newest.set(statement.chain, statement);
  return newest;
}

/**
 * Holds the chains of all replicas against themselves and each other: what one recorded of another, or the shared
 * state has of it, must be in that other's files.
 */
export function verifySet(question: SetQuestion): SetVerdict {
  const { chains, registered, publicKey, partial } = question;
  const findings: Finding[] = [];
  const inspected = chains.map((chain) => {
    const { verdict, rows } = inspectChain({
      ...chain,
      partial,
      ...(publicKey === undefined ? {} : { publicKey }),
    });
    return { verdict, rows, group: groupOf(chain, rows) };
  });
  const opened = new Map(
    inspected.flatMap(({ rows, group }) =>
      rows
        .filter(({ payload }) => payload["event"] === "mcp.audit.opened")
        .map(({ payload }) => [String(payload["chain"]), group] as const),
    ),
  );
  const statements = [
    ...inspected.flatMap(({ rows }) => statementsIn(rows)),
    ...(registered === undefined ? [] : registeredIn(registered, findings)),
  ];
  const known = new Set(inspected.flatMap(({ rows }) => rows.map(({ hash }) => hash)));
  const newest = newestOf(statements);
  const absent = [...newest.values()].filter(({ chain, hash }) => !opened.has(chain) && !known.has(hash));
  const empty = inspected.filter(({ rows }) => rows.length === 0).map(({ group }) => group.name);
  const hint = empty.length === 0 ? "" : `; nothing is in ${empty.join(", ")}`;
  if (!partial)
    for (const { chain, seq, file, line } of absent)
      findings.push({
        code: "missing_chain",
        file,
        line,
        seq: null,
        message: `the chain ${chain} is in none of these files, and came to record ${seq} at least${hint}`,
      });
  const rewritten = new Set<string>();
  for (const statement of statements) {
    const group = opened.get(statement.chain);
    const finding = group === undefined ? undefined : faultOf(statement, group);
    if (finding === undefined) continue;
    // Of a tail that is missing the longest says it all; of records written anew the first.
    if (
      finding.code === "missing_tail"
        ? newest.get(statement.chain) !== statement
        : rewritten.has(statement.chain)
    )
      continue;
    if (finding.code === "rewritten") rewritten.add(statement.chain);
    findings.push(finding);
  }
  return {
    ok: findings.length === 0 && inspected.every(({ verdict }) => verdict.ok),
    chains: inspected.map(({ verdict }) => verdict),
    opened: opened.size,
    registered: newest.size,
    absent: absent.map(({ chain }) => chain).sort(),
    findings,
  };
}
