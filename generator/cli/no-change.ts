/**
 * The first of two tiers: when nothing that the last complete run looked at has changed, that run is the
 * answer, and the generator itself is not even loaded.
 *
 * A record holds the status of every path that a run saw, taken before it looked, and what the run said. Any
 * doubt (another request, a path that differs, a record that cannot be read) means no answer.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/** All that decides about a run and is no file. */
export interface Request {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly node: string;
  /** Folder of the program's own files. */
  readonly program: string;
  /** Folder of the user's configurations: private keys may stand there. */
  readonly config: string;
  /** `2026-11-20`: grants expire. */
  readonly today: string;
  readonly color: boolean;
}

export interface Said {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** What stood at a path, or `undefined` for nothing. A run over a fleet keeps a hundred thousand of them. */
export type Status =
  | {
      readonly fingerprint: string;
      readonly mtimeNs: bigint;
      readonly ctimeNs: bigint;
      readonly isLink: boolean;
    }
  | undefined;

/** A run that found everything up to date. */
export interface CompleteRun {
  /** Every path that it looked at, with the status from before it looked. */
  readonly seen: ReadonlyMap<string, Status>;
  readonly said: readonly Said[];
  /** Variables that it asked for, `null` for one that was unset; none of them may be a secret that can be guessed. */
  readonly variables: ReadonlyMap<string, string | null>;
  /** Milliseconds since the epoch, from before the first look. */
  readonly started: number;
}

interface Header {
  readonly request: string;
  readonly said: readonly Said[];
  /** Digests of the variables, or `null` for one that was unset. */
  readonly variables: Readonly<Record<string, string | null>>;
  readonly paths: number;
}

const FORMAT = "topogate-no-change 2";
/** Records of one cache folder; the oldest make room, since work folders come and go. */
const MOST_RECORDS = 64;
/** File systems stamp changes with the kernel's tick of at most 10 ms; some count whole seconds, or every other. */
const TICK_NS = 50_000_000n;
const COARSE_TICK_NS = 2_100_000_000n;
const SECOND_NS = 1_000_000_000n;

const ABSENT = "absent";

export function statusOf(path: string): Status {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return undefined;
  const { mode, size, ino, mtimeNs, ctimeNs } = found;
  const fingerprint = [mode, size, ino, mtimeNs, ctimeNs].join(":");
  return { fingerprint, mtimeNs, ctimeNs, isLink: found.isSymbolicLink() };
}

/**
 * Whether a later change is sure to show in the status. A file that changed in the tick in which it was read
 * can change again without a trace; a link's own status says nothing about what it leads to.
 */
function isTelling(status: Status, started: number): boolean {
  if (status === undefined) return true;
  if (status.isLink) return false;
  const { mtimeNs, ctimeNs } = status;
  const isCoarse = mtimeNs % SECOND_NS === 0n || ctimeNs % SECOND_NS === 0n;
  const latest = BigInt(started) * 1_000_000n - (isCoarse ? COARSE_TICK_NS : TICK_NS);
  return mtimeNs < latest && ctimeNs < latest;
}

/** Everything below the folder, itself included. */
function walk(folder: string): string[] {
  const below = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
  return [folder, ...below];
}

/** Beside the project's other caches, else beside the user's; never in the committed tree. */
export function cacheFolder(cwd: string, environment: NodeJS.ProcessEnv): string {
  for (let folder = cwd; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules"))) return join(folder, "node_modules", ".cache", "topogate");
    if (folder === dirname(folder)) break;
  }
  const own = environment["XDG_CACHE_HOME"] ?? "";
  return join(isAbsolute(own) ? own : join(homedir(), ".cache"), "topogate");
}

/** A short name for a request. Two requests of one name only push each other out: a record holds all of its own. */
function recordName({ cwd, args }: Request): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(JSON.stringify([cwd, args]))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return `${hash.toString(16).padStart(16, "0")}.txt`;
}

function parseHeader(line: string): Header | undefined {
  if (!line.startsWith(`${FORMAT} `)) return undefined;
  return JSON.parse(line.slice(FORMAT.length + 1)) as Header;
}

function isUnchanged(line: string): boolean {
  const space = line.indexOf(" ");
  return (statusOf(line.slice(space + 1))?.fingerprint ?? ABSENT) === line.slice(0, space);
}

/** Few runs have a variable to compare, so the others do without loading Node's cryptography. */
function digestOf(value: string | null): string | null {
  if (value === null) return null;
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(value).digest("hex");
}

type Environment = Readonly<Record<string, string | undefined>>;

function lookUp(folder: string, request: Request, environment: Environment): readonly Said[] | undefined {
  const path = join(folder, recordName(request));
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, "utf8").split("\n");
  const header = parseHeader(lines[0] ?? "");
  if (header === undefined || header.request !== JSON.stringify(request)) return undefined;
  const asBefore = ([name, digest]: readonly [string, string | null]): boolean =>
    digestOf(environment[name] || null) === digest;
  if (!Object.entries(header.variables).every(asBefore)) return undefined;
  const seen = lines.slice(1, -1);
  // Nobody can know beforehand which status the program's own folder will have here: a record that came with
  // somebody's project, and not from a run on this machine, does not get past it.
  const isOurs = seen.some((line) => line.endsWith(` ${request.program}`));
  if (!isOurs || seen.length !== header.paths || lines.at(-1) !== "") return undefined;
  return seen.every(isUnchanged) ? header.said : undefined;
}

/** What the last run of this request said, when it would find everything as it was; else `undefined`. */
export function recall(
  folder: string,
  request: Request,
  environment: Environment,
): readonly Said[] | undefined {
  try {
    return lookUp(folder, request, environment);
  } catch {
    // Whatever is wrong with a path or a record, the full run meets it too, and can say what it is.
    return undefined;
  }
}

function makeRoom(folder: string): void {
  const records = readdirSync(folder).map((name) => join(folder, name));
  if (records.length < MOST_RECORDS) return;
  const age = new Map(records.map((path) => [path, Number(statusOf(path)?.mtimeNs ?? 0n)]));
  const oldest = records.sort((a, b) => (age.get(a) ?? 0) - (age.get(b) ?? 0));
  for (const path of oldest.slice(0, records.length - MOST_RECORDS + 1)) rmSync(path, { force: true });
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function write(folder: string, request: Request, text: string): void {
  mkdirSync(folder, { recursive: true });
  makeRoom(folder);
  const path = join(folder, recordName(request));
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

/**
 * Keeps a run for `recall`, unless a later change could go unseen.
 *
 * False when the run is not kept, which costs the next one its short cut and nothing else; a cache that
 * cannot be written is no reason to fail.
 */
export function remember(folder: string, request: Request, run: CompleteRun): boolean {
  const own = walk(request.program).map((path) => [path, statusOf(path)] as const);
  const seen = [...new Map([...run.seen, ...own])];
  const isSure = seen.every(([path, status]) => !path.includes("\n") && isTelling(status, run.started));
  if (!isSure) return false;
  const variables = Object.fromEntries([...run.variables].map(([name, value]) => [name, digestOf(value)]));
  const header: Header = { request: JSON.stringify(request), said: run.said, variables, paths: seen.length };
  const lines = seen.map(([path, status]) => `${status?.fingerprint ?? ABSENT} ${path}\n`);
  try {
    write(folder, request, `${FORMAT} ${JSON.stringify(header)}\n${lines.join("")}`);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}
