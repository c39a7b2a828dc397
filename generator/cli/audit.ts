import { createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { rotatedFiles } from "#runtime/audit/sink";
import { verifyChain } from "../evidence/audit-chain.ts";
import type { ChainFile, ChainVerdict } from "../evidence/audit-chain.ts";
import { verifySet } from "../evidence/audit-set.ts";
import type { SetVerdict } from "../evidence/audit-set.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface AuditOptions {
  readonly pub?: string;
  readonly anchor?: string;
  readonly heads?: string;
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
  if (files.length === 0 && !existsSync(`${path}.anchor`))
    throw new UsageError(`${path}: no such audit file`);
  return files.map((file) => ({ name: file, text: readFileSync(file, "utf8") }));
}

function keptAnchor(path: string, named: string | undefined): ChainFile | undefined {
  const file = named ?? `${path}.anchor`;
  if (named === undefined && !existsSync(file)) return undefined;
  return { name: file, text: readFileSync(file, "utf8") };
}

function lineOf({ file, line, code, message }: ChainVerdict["findings"][number]): string {
  return `${file}:${line}: ${code}: ${message}`;
}

function describe(path: string, verdict: ChainVerdict, hasKept: boolean): readonly string[] {
  const { server, records, first, last, anchors, unanchored, lost, findings } = verdict;
  const range = first === null ? "no records" : `${records} records of ${server}, ${first} to ${last}`;
  return [
    ...findings.map(lineOf),
    `${path}: ${range}, ${anchors} anchors, ${unanchored} records after the last: ${verdict.ok ? "intact" : "NOT intact"}`,
    ...(lost > 0 ? [`the server says that it could not write ${lost} records`] : []),
    ...(hasKept ? [] : ["no anchor was kept elsewhere: a tail that was cut off would not be missed"]),
  ];
}

function print(options: AuditOptions, verdict: object, lines: readonly string[]): void {
  process.stdout.write(
    options.json === true ? `${JSON.stringify(verdict)}\n` : lines.map((line) => `${line}\n`).join(""),
  );
}

function verifyOne(path: string, options: AuditOptions): boolean {
  const anchor = keptAnchor(path, options.anchor);
  const verdict = verifyChain({
    files: chainFiles(path),
    partial: options.partial === true,
    ...(anchor === undefined ? {} : { anchor }),
    ...(options.pub === undefined ? {} : { publicKey: readPublicKey(options.pub) }),
  });
  print(options, verdict, describe(path, verdict, anchor !== undefined));
  return verdict.ok;
}

/** The name under which a chain was written, of every file that it left. */
const PARTS = /(?:\.\d{12}|\.anchor(?:\.next)?)$/;

/** Each chain of a folder once: what stands in one is evidence, so nothing in it is passed over. */
function pathsIn(path: string): readonly string[] {
  if (!existsSync(path) || !statSync(path).isDirectory()) return [path];
  return [...new Set(readdirSync(path).map((name) => join(path, name.replace(PARTS, ""))))].sort();
}

function describeSet(
  paths: readonly string[],
  anchors: readonly boolean[],
  verdict: SetVerdict,
): readonly string[] {
  const { chains, opened, registered, absent, findings, ok } = verdict;
  return [
    ...chains.flatMap((chain, at) =>
      describe(paths[at] ?? "", chain, anchors[at] === true || registered > 0),
    ),
    ...findings.map(lineOf),
    ...(findings.length === 0 ? absent.map((chain) => `not among these files: the chain ${chain}`) : []),
    `${paths.length} files of ${opened} processes, ${registered} of which are on record elsewhere: ${ok ? "intact" : "NOT intact"}`,
  ];
}

/** All replicas: each chain by itself, and what they and the shared state have on record of each other. */
function verifyAll(paths: readonly string[], options: AuditOptions): boolean {
  if (options.anchor !== undefined)
    throw new UsageError("--anchor is of one file: with several, each has its anchor beside it");
  const anchors = paths.map((path) => keptAnchor(path, undefined));
  const verdict = verifySet({
    chains: paths.map((path, at) => {
      const anchor = anchors[at];
      return { name: path, files: chainFiles(path), ...(anchor === undefined ? {} : { anchor }) };
    }),
    partial: options.partial === true,
    ...(options.heads === undefined
      ? {}
      : { registered: { name: options.heads, text: readFileSync(options.heads, "utf8") } }),
    ...(options.pub === undefined ? {} : { publicKey: readPublicKey(options.pub) }),
  });
  const hasAnchor = anchors.map((anchor) => anchor !== undefined);
  print(options, verdict, describeSet(paths, hasAnchor, verdict));
  return verdict.ok;
}

/** Exit 1 with every fault and its place; what it can and cannot see is said as well. */
export async function runAuditVerify(named: readonly string[], options: AuditOptions): Promise<number> {
  const [only = "", ...more] = named;
  const paths = [...new Set(named.flatMap(pathsIn))];
  const isOne = more.length === 0 && paths[0] === only && options.heads === undefined;
  const ok = isOne ? verifyOne(only, options) : verifyAll(paths, options);
  return ok ? ExitCode.ok : ExitCode.findings;
}
