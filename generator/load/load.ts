import type { CompiledModule } from "../catalog/compiled.ts";
import type { ComponentType } from "../catalog/contract.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import { buildTopology } from "../model/build.ts";
import type { Built } from "../model/build.ts";
import { checkGeneratedNames, checkTopology } from "../model/checks.ts";
import type { Path, Topology } from "../model/topology.ts";
import type { Block } from "../model/block.ts";
import { isBlock, kindOf } from "../model/block.ts";
import { indexLinks } from "../model/drawing.ts";
import type { Drawing, DrawnLink } from "../model/drawing.ts";
import { mergeEnvironment } from "./environment.ts";
import { checkDerivedTools } from "./derived-tools.ts";
import { createDocumentReader, withFiles } from "./documents.ts";
import { createRuleReader } from "./rule-sets.ts";
import type { ReadDocument } from "./documents.ts";
import { readIssuerKeys } from "./issuer-keys.ts";
import { TooManyErrors, gatherFindings, locate } from "./findings.ts";
import type { Findings } from "./findings.ts";
import { checkImports } from "./imports.ts";
import { builtinsOf } from "../model/builtins.ts";
import { normalise, normaliseOverlay } from "./normalise.ts";
import type { NormaliseContext } from "./normalise-components.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { NAME } from "./schema-blocks.ts";
import { scanForSecrets } from "./secret-scan.ts";
import { readSource } from "./source.ts";
import type { Source } from "./source.ts";
import { validateComponents, validateLinks, validateRoot } from "./validate.ts";
import type { StackValidators } from "./validators.ts";
import { checkWidening } from "./widening.ts";

export interface LoadedStack {
  readonly base: Topology;
  /** Every declared environment, resolved; sorted by name. */
  readonly environments: ReadonlyMap<string, Topology>;
}

/** What turns out only after loading; it is placed in the file like all else. */
export interface LaterFindings {
  /** Where to report what is wrong with the base, or with an environment. */
  within(environment: string | null): Report;
  located(): Promise<readonly Diagnostic[]>;
}

export interface LoadResult {
  /** `null` when there is any error; warnings may stand beside a stack. */
  readonly stack: LoadedStack | null;
  /** In the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
  readonly later: LaterFindings;
}

export interface LoadInput {
  /** As diagnostics and emitted headers name it: `stacks/shop.yaml`. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly catalog: ReadonlyMap<string, ComponentType>;
  readonly validate: StackValidators;
  /** The source of another stack of the same folder, or `undefined` when there is none. */
  neighbours(stack: string): Uint8Array | undefined;
  /** A file that the drawing names, relative to the stack file; left out, such files are not looked at. */
  readonly documents?: ReadDocument;
  /** Tools by type, to check the names under `tools`; left out, they are not checked. */
  readonly modules?: ReadonlyMap<string, Pick<CompiledModule, "tools">>;
  /** `2026-11-20`, to find grants that have expired; left out, dates are not looked at. */
  readonly today?: string;
}

const API_VERSION = "topology/v1";
const MOST_COMPONENTS = 20_000;
const MOST_LINKS = 100_000;
const IS_NAME = new RegExp(NAME);

/** One load, from the base to its last environment. */
interface Run {
  readonly input: LoadInput;
  readonly written: Block;
  readonly findings: Findings;
  readonly origins: Map<object, Path>;
  readonly environments: readonly string[];
}

function reportSecrets(written: Block, report: Report): void {
  for (const { path, by } of scanForSecrets(written)) {
    const why = by === "value" ? "looks like a credential" : "is a credential by the name of its key";
    report(
      "E-SECRET-PLAINTEXT",
      `this value ${why}, and the file is no place for one: use a secret attribute with a reference such as {key: NAME}, and rotate the secret`,
      path,
    );
  }
}

function environmentNames(written: Block, report: Report): readonly string[] {
  const { environments } = written;
  if (environments === undefined || environments === null) return [];
  if (!isBlock(environments)) {
    report("E-SHAPE", `environments is ${kindOf(environments)}: write a map from name to what differs`, [
      "environments",
    ]);
    return [];
  }
  return Object.keys(environments)
    .filter((name) => {
      if (IS_NAME.test(name)) return true;
      report("E-SHAPE", `${quoted(name)} is no name for an environment: use small letters, digits, - and _`, [
        "environments",
        name,
      ]);
      return false;
    })
    .sort();
}

function isWithinLimits(drawing: Drawing, report: Report): boolean {
  const { components, links } = drawing;
  if (components.size > MOST_COMPONENTS) {
    report(
      "E-LIMIT",
      `${components.size} components are drawn, ${MOST_COMPONENTS} are the most a stack can hold: split it`,
      ["components"],
    );
  }
  if (links.length > MOST_LINKS) {
    report(
      "E-LIMIT",
      `${links.length} links are drawn, ${MOST_LINKS} are the most a stack can hold: split it`,
      ["links"],
    );
  }
  return components.size <= MOST_COMPONENTS && links.length <= MOST_LINKS;
}

function checkStackName(run: Run): void {
  const { stack } = run.written;
  const fileName = run.input.file.replace(/^.*[\\/]/, "").replace(/\.ya?ml$/, "");
  if (typeof stack === "string" && stack !== fileName) {
    run.findings.report(
      "W-NAME",
      `the stack is called ${quoted(stack)} and its file ${quoted(fileName)}: other stacks find it by the file's name`,
      ["stack"],
    );
  }
}

function context(run: Run, report: Report): NormaliseContext {
  const { catalog } = run.input;
  return { types: catalog, builtins: builtinsOf(catalog), report, origins: run.origins };
}

/** Validates and resolves one drawing: the base, or an environment of it. */
function resolve(
  run: Run,
  drawing: Drawing,
  environment: string | null,
  base: Built | null,
  report: Report,
): Built {
  const { input } = run;
  const before = base?.drawing ?? null;
  validateRoot(drawing, before, input.validate, report);
  validateComponents(drawing, before, input.validate, report);
  validateLinks(drawing, before, input.validate, report);
  const built = buildTopology({
    drawing,
    types: input.catalog,
    modules: input.modules,
    origins: run.origins,
    source: input.file,
    environment,
    environments: run.environments,
    report,
    base,
  });
  checkTopology(built, input.catalog, input.today, report);
  return built;
}

async function resolveBase(run: Run): Promise<Built | null> {
  const { report } = run.findings;
  const drawing = normalise(run.written, context(run, report));
  if (!isWithinLimits(drawing, report)) return null;
  const built = resolve(run, drawing, null, null, report);
  await checkImports(built, (stack) => run.input.neighbours(stack), report);
  return built;
}

function resolveEnvironment(
  run: Run,
  name: string,
  base: Built,
  index: ReadonlyMap<string, DrawnLink>,
): Built {
  const report = run.findings.within(name);
  const all = run.written["environments"];
  const written = isBlock(all) ? all[name] : null;
  const overlay = normaliseOverlay(
    written,
    ["environments", name],
    base.drawing,
    index,
    context(run, report),
  );
  const built = resolve(run, mergeEnvironment(base.drawing, index, overlay), name, base, report);
  checkWidening(base, built, name, report);
  return built;
}

async function resolveStack(run: Run): Promise<LoadedStack | null> {
  const { report } = run.findings;
  checkStackName(run);
  reportSecrets(run.written, report);
  if (run.written["components"] === undefined) {
    report("E-MISSING", 'the stack file needs "components"', []);
  }
  const base = await resolveBase(run);
  if (base === null) return null;
  const index = indexLinks(run.environments.length === 0 ? [] : base.drawing.links);
  const environments = new Map(
    run.environments.map((name) => [name, resolveEnvironment(run, name, base, index)]),
  );
  if (run.findings.hasErrors()) return null;
  for (const built of [base, ...environments.values()]) checkGeneratedNames(built, run.input.catalog, report);
  return await withAllDocuments(run, {
    base: base.topology,
    environments: new Map([...environments].map(([name, built]) => [name, built.topology])),
  });
}

/** Files beside the stack file are read last: a drawing with errors needs none of them. */
async function withAllDocuments({ input, findings }: Run, stack: LoadedStack): Promise<LoadedStack> {
  const { documents } = input;
  if (documents === undefined) return stack;
  const reader = createDocumentReader(input.catalog, documents);
  const rulesOf = createRuleReader(documents);
  const complete = async (topology: Topology, report: Report): Promise<Topology> => {
    const whole = withFiles(topology, {
      documents: await reader.documentsOf(topology, report),
      issuerKeys: await readIssuerKeys(topology, documents, report),
      ruleSets: await rulesOf(topology, report),
    });
    checkDerivedTools(whole, input, report);
    return whole;
  };
  const base = await complete(stack.base, findings.report);
  const environments = new Map<string, Topology>();
  for (const [name, topology] of stack.environments) {
    environments.set(name, await complete(topology, findings.within(name)));
  }
  return { base, environments };
}

/** `null` for a file of another version: every other message about it would be wrong. */
function writtenBlock(value: unknown, report: Report): Block | null {
  if (!isBlock(value)) {
    report(
      "E-SHAPE",
      `the stack file is ${kindOf(value)}: write a map with apiVersion, stack and components`,
      [],
    );
    return null;
  }
  const { apiVersion } = value;
  if (typeof apiVersion !== "string" || apiVersion === API_VERSION) return value;
  report(
    "E-API-VERSION",
    `this release does not read ${quoted(apiVersion)}: the newest version it knows is ${API_VERSION}.${suggestion(apiVersion, [API_VERSION])}`,
    ["apiVersion"],
  );
  return null;
}

async function resolveWithin(
  input: LoadInput,
  written: Block,
  findings: Findings,
): Promise<LoadedStack | null> {
  const environments = environmentNames(written, findings.report);
  try {
    return await resolveStack({ input, written, findings, origins: new Map(), environments });
  } catch (error) {
    if (error instanceof TooManyErrors) return null;
    throw error;
  }
}

function laterFindings(source: Source): LaterFindings {
  const findings = gatherFindings(source.value);
  return {
    within: (environment) => (environment === null ? findings.report : findings.within(environment)),
    located: () => locate(findings.all(), source),
  };
}

const NOTHING_LATER: LaterFindings = {
  within: () => () => {
    throw new Error("a file that could not be read has nothing to report later");
  },
  located: async () => await Promise.resolve([]),
};

/**
 * From the bytes of a stack file to its topologies, or to everything that is wrong with it.
 *
 * All faults come in one run; what only follows from another fault is left out. Nothing is read but the
 * bytes, for external components the sources that `neighbours` gives, and what `documents` gives.
 */
export async function loadStack(input: LoadInput): Promise<LoadResult> {
  const read = await readSource(input.file, input.bytes);
  if (!read.ok) return { stack: null, diagnostics: read.diagnostics, later: NOTHING_LATER };
  const findings = gatherFindings(read.source.value);
  const written = writtenBlock(read.source.value, findings.report);
  const stack = written === null ? null : await resolveWithin(input, written, findings);
  const diagnostics = await locate(findings.all(), read.source);
  return { stack: findings.hasErrors() ? null : stack, diagnostics, later: laterFindings(read.source) };
}
