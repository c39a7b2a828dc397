/**
 * The pipeline, in the order of the picture in the README:
 *
 *   stacks/shop.yaml ─load─▶ Topology ─hooks─▶ Facts ─emit─▶ FileTree ─seal─▶ FileTree ─plan(disk)─▶ Change[] ─apply─▶ out/shop/
 *
 * Diagnostics can come from every step; any error stops the run, and nothing on disk has changed.
 */
import { basename, dirname, join } from "node:path";
import type { CompiledCatalog } from "./catalog/compiled.ts";
import type { Diagnostic } from "./diagnostics/diagnostic.ts";
import type { SealFacts } from "./credentials/credential.ts";
import type { Report } from "./diagnostics/report.ts";
import { emit } from "./emit/emit.ts";
import { compactJson } from "./emit/json-text.ts";
import { loadStack } from "./load/load.ts";
import type { LaterFindings } from "./load/load.ts";
import { readDocument, readNeighbour, readStackFile } from "./load/stack-file.ts";
import type { StackFile } from "./load/stack-file.ts";
import type { Topology } from "./model/topology.ts";
import { apply } from "./tree/apply.ts";
import type { FileSystem } from "./tree/disk.ts";
import { placeOf, sha256 } from "./tree/file-tree.ts";
import type { FileTree } from "./tree/file-tree.ts";
import { placeWhole } from "./tree/stage.ts";
import { withLock } from "./tree/lock.ts";
import { MANIFEST, parseManifest } from "./tree/manifest.ts";
import type { Provenance } from "./tree/manifest.ts";
import { isUpToDate, plan } from "./tree/plan.ts";
import type { Plan } from "./tree/plan.ts";

export interface Engine {
  readonly fs: FileSystem;
  readonly catalog: CompiledCatalog;
}

/** One output folder, ready to be compared with the disk. */
export interface Emitted {
  readonly root: string;
  /** `null` for a folder whose environment is no longer drawn. */
  readonly topology: Topology | null;
  readonly tree: FileTree;
  readonly provenance: Provenance | null;
  readonly seal: SealFacts | null;
  /** Sealed files as they stood on disk when they were sealed anew: nothing newer may be replaced. */
  readonly base: ReadonlyMap<string, string | undefined>;
}

export interface Loaded {
  readonly file: StackFile;
  readonly diagnostics: readonly Diagnostic[];
  /** The base and every declared environment, or the one that was asked for; empty after an error. */
  readonly topologies: readonly Topology[];
  readonly later: LaterFindings;
}

/** Another run sealed other values meanwhile; sealing again on top of them helps. */
export class SealedMeanwhileError extends Error {
  constructor(path: string) {
    super(`${path} was sealed by another run meanwhile: run generate again`);
    this.name = "SealedMeanwhileError";
  }
}

/** A request for an environment that the stack file does not declare. */
export class UnknownEnvironmentError extends Error {
  constructor(file: string, environment: string, declared: readonly string[]) {
    super(`${file}: no environment "${environment}"; declared: ${declared.join(", ") || "none"}`);
    this.name = "UnknownEnvironmentError";
  }
}

export async function load(
  engine: Engine,
  path: string,
  environment: string | undefined,
  today: string | undefined,
): Promise<Loaded> {
  const file = readStackFile(engine.fs, path);
  const result = await loadStack({
    file: file.name,
    bytes: file.bytes,
    catalog: engine.catalog.types,
    validate: engine.catalog.validators,
    modules: engine.catalog.modules,
    neighbours: (stack) => readNeighbour(engine.fs, join(dirname(path), `${stack}.yaml`)),
    documents: (named) => readDocument(engine.fs, dirname(path), named),
    ...(today === undefined ? {} : { today }),
  });
  const { stack, diagnostics, later } = result;
  if (stack === null) return { file, diagnostics, later, topologies: [] };
  if (environment === undefined)
    return { file, diagnostics, later, topologies: [stack.base, ...stack.environments.values()] };
  const chosen = stack.environments.get(environment);
  if (chosen === undefined)
    throw new UnknownEnvironmentError(file.name, environment, [...stack.environments.keys()]);
  return { file, diagnostics, later, topologies: [chosen] };
}

function folderName(topology: Topology): string {
  return topology.environment === null ? topology.stack : `${topology.stack}.${topology.environment}`;
}

/** Renders one topology in memory; with an error among what is reported, it must not be written. */
export async function render(
  engine: Engine,
  topology: Topology,
  out: string,
  report: Report,
): Promise<Emitted> {
  const provenance = {
    generator: engine.catalog.version,
    stack: topology.stack,
    environment: topology.environment,
    drawing: sha256(compactJson(topology.drawing as object)),
  };
  const { tree, seal } = await emit(topology, engine.catalog, report);
  const root = join(out, folderName(topology));
  return { root, topology, tree, provenance, seal, base: new Map() };
}

/**
 * Output folders of this stack whose environment is gone. Only a folder with a manifest of this stack counts:
 * what merely looks like one is left alone.
 */
export function orphans(
  engine: Engine,
  out: string,
  stack: string,
  declared: readonly string[],
): readonly Emitted[] {
  if (!engine.fs.existsSync(out)) return [];
  const names = engine.fs
    .readdirSync(out)
    .filter((name) => name.startsWith(`${stack}.`))
    .sort();
  return names.flatMap((name): Emitted[] => {
    const manifest = join(out, name, MANIFEST);
    if (!engine.fs.existsSync(manifest)) return [];
    const previous = parseManifest(manifest, engine.fs.readFileSync(manifest, "utf8"));
    const isOurs = previous.stack === stack && name === `${stack}.${previous.environment ?? ""}`;
    if (!isOurs || declared.includes(previous.environment ?? "")) return [];
    const nothing = { topology: null, tree: new Map(), provenance: null, seal: null, base: new Map() };
    return [{ root: join(out, name), ...nothing }];
  });
}

export function compare(engine: Engine, emitted: Emitted): Plan {
  return plan(engine.fs, emitted.root, emitted.tree, emitted.provenance);
}

/** Whether nothing is left to do, as far as can be seen while another run may be writing. */
function isFinished(engine: Engine, emitted: Emitted): Plan | undefined {
  try {
    const before = compare(engine, emitted);
    return isUpToDate(before) ? before : undefined;
  } catch (error) {
    // A file that was listed and is gone now: somebody is at work, so look again under the lock.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The fast way for an output that does not exist yet; nothing when there is one, or another run makes it now. */
function writeFirst(engine: Engine, emitted: Emitted): Plan | undefined {
  if (emitted.provenance === null || engine.fs.existsSync(emitted.root)) return undefined;
  const first = compare(engine, emitted);
  return placeWhole(engine.fs, first) ? first : undefined;
}

function refuseNewer({ fs }: Engine, { root, base }: Emitted): void {
  for (const [path, text] of base) {
    const place = placeOf(root, path);
    const now = fs.existsSync(place) ? fs.readFileSync(place, "utf8") : undefined;
    if (now !== text) throw new SealedMeanwhileError(place);
  }
}

/**
 * Writes what differs. Everything is decided under the folder's lock, so two runs at once never mix and the
 * second finds nothing left to do; only a tree that is up to date needs no lock. Without `force`, a conflict
 * leaves everything as it is.
 */
export function write(engine: Engine, emitted: Emitted, force: boolean): Plan {
  const finished = writeFirst(engine, emitted) ?? isFinished(engine, emitted);
  if (finished !== undefined) return finished;
  const written = withLock(engine.fs, emitted.root, () => {
    refuseNewer(engine, emitted);
    const now = compare(engine, emitted);
    if (now.conflicts.length === 0 || force) apply(engine.fs, now);
    return now;
  });
  if (emitted.provenance === null && engine.fs.readdirSync(emitted.root).length === 0)
    engine.fs.rmdirSync(emitted.root);
  return written;
}

/** `out` beside `stacks`, whatever folder the command runs in. */
export function defaultOut(stackPath: string): string {
  const folder = dirname(stackPath);
  return basename(folder) === "stacks" ? join(dirname(folder), "out") : join(folder, "out");
}
