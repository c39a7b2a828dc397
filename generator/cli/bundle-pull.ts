import { hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { resolve } from "node:path";
import { openSigned } from "#runtime/bundle";
import type { BundleStatement } from "#runtime/bundle";
import type { Files } from "../bundle/archive.ts";
import { BundleError } from "../bundle/bundle-error.ts";
import { SIGNED_NAMES } from "../bundle/oci-layout.ts";
import { caseCollision, isSafePath } from "../tree/file-tree.ts";
import { readPublicKey } from "./audit.ts";
import { SIGNED } from "./bundle.ts";
import { placeFolder, standing } from "./bundle-place.ts";
import { openSource } from "./bundle-source.ts";
import { ExitCode } from "./terminal.ts";

export interface PullOptions {
  readonly from: string;
  readonly to: string;
  readonly key: string;
  readonly allowDowngrade?: boolean;
}

interface Verified {
  readonly statement: BundleStatement;
  /** The statement's file, with the signature that is not in it. */
  readonly signed: Files;
}

const digestOf = (bytes: Buffer): string => hash("sha256", bytes, "hex");

/** The statement that is signed with the key, of those that are there; throws when there is none. */
export function verified(signed: Files, key: KeyObject): Verified {
  const problems: string[] = [];
  for (const name of ["bundle.dsse.json", "bundle.json"]) {
    const bytes = signed.get(name);
    if (bytes === undefined) continue;
    const opened = openSigned(
      () => bytes,
      () => signed.get(`${name}.sig`)?.toString() ?? "",
      key,
    );
    if ("statement" in opened) {
      const own = SIGNED_NAMES.filter((each) => each === name || each === `${name}.sig`);
      const files = own.flatMap((each) => {
        const content = signed.get(each);
        return content === undefined ? [] : [[each, content] as const];
      });
      return { statement: opened.statement, signed: new Map(files) };
    }
    problems.push(`${name} ${opened.problem}`);
  }
  throw new BundleError(
    problems.length === 0 ? "nothing in it is signed: it has no bundle.dsse.json" : problems.join("; "),
  );
}

/** A signature says who wrote the names, not that they may be placed. */
export function demandSafeNames({ files }: BundleStatement): void {
  const paths = Object.keys(files);
  const unsafe = paths.find((path) => !isSafePath(path) || !SIGNED.test(path));
  if (unsafe !== undefined)
    throw new BundleError(`the bundle speaks of ${JSON.stringify(unsafe)}, which is of no output`);
  const collision = caseCollision(paths);
  if (collision !== undefined)
    throw new BundleError(`the bundle has two names for one place: ${collision.join(", ")}`);
}

/** Exactly the files that were signed, as they were signed. */
export function signedFiles({ files }: BundleStatement, read: (path: string) => Buffer | undefined): Files {
  return new Map(
    Object.entries(files).map(([path, digest]) => {
      const bytes = read(path);
      if (bytes === undefined) throw new BundleError(`${path} is missing`);
      if (digestOf(bytes) !== digest) throw new BundleError(`${path} is not what was signed`);
      return [path, bytes];
    }),
  );
}

function placedBefore(there: Files, key: KeyObject): BundleStatement | undefined {
  return SIGNED_NAMES.some((name) => there.has(name)) ? verified(there, key).statement : undefined;
}

function demandNewer(before: BundleStatement, next: BundleStatement, to: string): void {
  if (before.stack !== next.stack || before.environment !== next.environment)
    throw new BundleError(
      `${to} holds ${before.stack} (${before.environment ?? "base"}), and this is ${next.stack} (${next.environment ?? "base"})`,
    );
  if (before.revision === undefined) return;
  const isOlder = next.revision === undefined || next.revision < before.revision;
  const isTwice = next.revision === before.revision && JSON.stringify(next) !== JSON.stringify(before);
  if (!isOlder && !isTwice) return;
  const what = isTwice
    ? "the same number for other files"
    : next.revision === undefined
      ? "without one"
      : `${next.revision}`;
  throw new BundleError(
    `${to} holds revision ${before.revision}, and this is ${what}: --allow-downgrade goes back on purpose`,
  );
}

/** Only what a bundle placed, and nobody changed since, or what is the same anyway. */
export function demandOurs(there: Files, before: BundleStatement | undefined, next: Files, to: string): void {
  for (const [path, bytes] of there) {
    const isPlaced =
      before !== undefined && (SIGNED_NAMES.includes(path) || before.files[path] === digestOf(bytes));
    if (isPlaced || next.get(path)?.equals(bytes) === true) continue;
    throw new BundleError(
      `${to}/${path} was not placed by a bundle, or was changed since: take it away, or name another folder`,
    );
  }
}

export function isSame(there: Files, next: Files): boolean {
  return (
    there.size === next.size && [...next].every(([path, bytes]) => there.get(path)?.equals(bytes) === true)
  );
}

async function pull({ from, to, key: keyFile, allowDowngrade }: PullOptions): Promise<string> {
  const key = readPublicKey(keyFile);
  const place = resolve(to);
  const source = await openSource(from);
  const { statement, signed } = verified(source.signed, key);
  demandSafeNames(statement);
  const next = new Map([...signedFiles(statement, source.read), ...signed]);
  const there = standing(place);
  const before = placedBefore(there, key);
  if (before !== undefined && allowDowngrade !== true) demandNewer(before, statement, place);
  demandOurs(there, before, next, place);
  const name = `${statement.stack}${statement.environment === null ? "" : `.${statement.environment}`}`;
  const count = `${Object.keys(statement.files).length} files of ${name}`;
  if (isSame(there, next)) return `${place}: ${count}, as they were`;
  placeFolder(place, next);
  return `${place}: ${count}${statement.revision === undefined ? "" : `, revision ${statement.revision}`}`;
}

/** What is wrong with a bundle is a finding; a command line that makes no sense stays an error. */
export async function finding(work: Promise<string>): Promise<number> {
  try {
    process.stdout.write(`${await work}\n`);
    return ExitCode.ok;
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    process.stdout.write(`nothing was placed: ${cause.message}\n`);
    return ExitCode.findings;
  }
}

/** Verifies a bundle that was copied here, and only then places the files that were signed, at once. */
export async function runBundlePull(options: PullOptions): Promise<number> {
  return await finding(pull(options));
}
