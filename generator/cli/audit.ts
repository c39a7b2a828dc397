import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { rotatedFiles } from "#runtime/audit-sink";
import { verifyChain } from "../evidence/audit-chain.ts";
import type { ChainFile, ChainVerdict } from "../evidence/audit-chain.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface AuditOptions {
  readonly pub?: string;
  readonly anchor?: string;
  readonly partial?: boolean;
  readonly json?: boolean;
}

export function readPublicKey(path: string): KeyObject {
  try {
    return createPublicKey(readFileSync(path));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new UsageError(`${path} is no public key in PEM (${code})`);
  }
}

/** The file, after those that were put aside when they were full. */
function chainFiles(path: string): readonly ChainFile[] {
  const files = [...rotatedFiles(path), ...(existsSync(path) ? [path] : [])];
  if (files.length === 0) throw new UsageError(`${path}: no such audit file`);
  return files.map((file) => ({ name: file, text: readFileSync(file, "utf8") }));
}

function keptAnchor(path: string, named: string | undefined): ChainFile | undefined {
  const file = named ?? `${path}.anchor`;
  if (named === undefined && !existsSync(file)) return undefined;
  return { name: file, text: readFileSync(file, "utf8") };
}

function describe(path: string, verdict: ChainVerdict, hasKept: boolean): string {
  const { server, records, first, last, anchors, unanchored, lost, findings } = verdict;
  const lines = findings.map(({ file, line, code, message }) => `${file}:${line}: ${code}: ${message}`);
  const range = first === null ? "no records" : `${records} records of ${server}, ${first} to ${last}`;
  lines.push(
    `${path}: ${range}, ${anchors} anchors, ${unanchored} records after the last: ${verdict.ok ? "intact" : "NOT intact"}`,
  );
  if (lost > 0) lines.push(`the server says that it could not write ${lost} records`);
  if (!hasKept) lines.push("no anchor was kept elsewhere: a tail that was cut off would not be missed");
  return `${lines.join("\n")}\n`;
}

/** Exit 1 with every fault and its place; what it can and cannot see is said as well. */
export async function runAuditVerify(path: string, options: AuditOptions): Promise<number> {
  const anchor = keptAnchor(path, options.anchor);
  const verdict = verifyChain({
    files: chainFiles(path),
    partial: options.partial === true,
    ...(anchor === undefined ? {} : { anchor }),
    ...(options.pub === undefined ? {} : { publicKey: readPublicKey(options.pub) }),
  });
  const text =
    options.json === true ? `${JSON.stringify(verdict)}\n` : describe(path, verdict, anchor !== undefined);
  process.stdout.write(text);
  return verdict.ok ? ExitCode.ok : ExitCode.findings;
}
