import { relative } from "node:path";
import { inspectCredentials, isMissing } from "../credentials/inspect.ts";
import type { Inspection } from "../credentials/inspect.ts";
import type { Origin } from "../credentials/resolve.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { defaultOut, load, render } from "../generate.ts";
import type { Emitted } from "../generate.ts";
import { currentRequest } from "./request.ts";
import { sealingOf } from "./sealing.ts";
import { engine, report, stackFiles } from "./stacks.ts";
import { ExitCode, UsageError } from "./terminal.ts";
import { SealError } from "../seal/seal-error.ts";
import { runGenerate } from "./generate.ts";

export interface SecretsOptions {
  readonly out?: string;
  readonly env?: string;
  readonly json?: boolean;
}

interface Row {
  readonly name: string;
  readonly doc: string;
  readonly state: Origin | "not sealed";
  readonly optional: boolean;
  readonly missing: boolean;
}

/** What one output needs, and what its sealed files hold; names only. */
interface Holdings {
  readonly output: string;
  readonly credentials: readonly Row[];
  /** Sealed, and needed by no drawn link. */
  readonly unused: readonly string[];
  /** Recipients who can still open a file, though they are no longer drawn. */
  readonly stale: readonly string[];
  /** Drawn recipients who cannot open a file yet. */
  readonly absent: readonly string[];
  /** Why a file cannot be trusted or read. */
  readonly fault: string | null;
}

const STATES: Readonly<Record<Row["state"], string>> = {
  env: "from the environment",
  file: "from a file",
  sealed: "sealed",
  kept: "sealed",
  generated: "not made yet",
  cluster: "in the cluster",
  missing: "missing",
  "not sealed": "not sealed yet",
};

function rowsOf({ before, resolutions }: Inspection): readonly Row[] {
  return resolutions.map((resolution): Row => {
    const { credential, origin } = resolution;
    const { name, doc, optional } = credential;
    const waits = origin !== "missing" && origin !== "cluster" && !before.names.has(name);
    return { name, doc, optional, state: waits ? "not sealed" : origin, missing: isMissing(resolution) };
  });
}

function holdingsOf(emitted: Emitted, inspection: Inspection): Holdings {
  const { before, resolutions } = inspection;
  const needed = new Set(resolutions.map(({ credential }) => credential.name));
  const drawn = new Set(emitted.topology?.server.recipients);
  const held = [...before.recipients.values()];
  const all = new Set(held.flat());
  return {
    output: relative(process.cwd(), emitted.root) || ".",
    credentials: rowsOf(inspection),
    unused: [...before.names].filter((name) => !needed.has(name)).sort(),
    stale: [...all].filter((recipient) => !drawn.has(recipient)).sort(),
    absent: [...drawn].filter((recipient) => held.some((list) => !list.includes(recipient))).sort(),
    fault: null,
  };
}

function faultOf(emitted: Emitted, error: unknown): Holdings {
  if (!(error instanceof SealError)) throw error;
  const output = relative(process.cwd(), emitted.root) || ".";
  return { output, credentials: [], unused: [], stale: [], absent: [], fault: error.message };
}

interface Found {
  readonly diagnostics: readonly Diagnostic[];
  readonly holdings: readonly Holdings[];
}

async function inspect(names: readonly string[], options: SecretsOptions): Promise<Found> {
  const request = currentRequest();
  const sealing = sealingOf(engine.fs, request);
  const diagnostics: Diagnostic[] = [];
  const holdings: Holdings[] = [];
  for (const path of stackFiles(engine.fs, names)) {
    const loaded = await load(engine, path, options.env, request.today);
    for (const topology of loaded.topologies) {
      const later = loaded.later.within(topology.environment);
      const emitted = await render(engine, topology, options.out ?? defaultOut(path), later);
      if (emitted.seal === null) continue;
      const output = { ...emitted, topology, seal: emitted.seal };
      holdings.push(
        await inspectCredentials(output, sealing.around(path), later).then(
          (inspection) => holdingsOf(emitted, inspection),
          (error: unknown) => faultOf(emitted, error),
        ),
      );
    }
    diagnostics.push(...loaded.diagnostics, ...(await loaded.later.located()));
  }
  return { diagnostics, holdings };
}

function describe({ output, credentials, unused, stale, absent, fault }: Holdings): string {
  const width = Math.max(0, ...credentials.map(({ name }) => name.length));
  const lines = [
    ...credentials.map(({ name, state, missing, optional }) => {
      const note = missing ? "" : optional && state === "missing" ? " (optional)" : "";
      return `  ${name.padEnd(width)}  ${STATES[state]}${note}`;
    }),
    ...unused.map((name) => `  ${name}: sealed, and no drawn link needs it`),
    ...stale.map((recipient) => `  ${recipient}: can open the files, and is not drawn`),
    ...absent.map((recipient) => `  ${recipient}: is drawn, and cannot open the files`),
    ...(fault === null ? [] : [`  ${fault}`]),
  ];
  return `${output}\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** Whether everything that is needed is sealed, to whom it should be, and nothing else is. */
function isInOrder({ credentials, unused, stale, absent, fault }: Holdings): boolean {
  const waits = credentials.some(({ state, missing }) => missing || state === "not sealed");
  return !waits && unused.length === 0 && stale.length === 0 && absent.length === 0 && fault === null;
}

function show({ diagnostics, holdings }: Found, options: SecretsOptions): boolean {
  report(
    diagnostics.filter(({ severity }) => severity === "error"),
    "text",
  );
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ format_version: "1.0", outputs: holdings }, null, 2)}\n`
      : holdings.map(describe).join(""),
  );
  return !diagnostics.some(({ severity }) => severity === "error");
}

/** The names of credentials and where each comes from; never a value. */
export async function runSecretsList(names: readonly string[], options: SecretsOptions): Promise<number> {
  return show(await inspect(names, options), options) ? ExitCode.ok : ExitCode.findings;
}

/** As the list, but exit code 1 says that something is missing, unused, stale or not to be trusted. */
export async function runSecretsCheck(names: readonly string[], options: SecretsOptions): Promise<number> {
  const found = await inspect(names, options);
  const shown = { ...found, holdings: found.holdings.filter((each) => !isInOrder(each)) };
  const sound = show(options.json === true ? found : shown, options);
  return sound && shown.holdings.length === 0 ? ExitCode.ok : ExitCode.findings;
}

/** New data keys for the sealed files of a stack, and new values for the generated credentials that are named. */
export async function runSecretsRotate(
  stack: string,
  names: readonly string[],
  options: SecretsOptions,
): Promise<number> {
  const { holdings } = await inspect([stack], options);
  const known = new Set(holdings.flatMap(({ credentials }) => credentials.map(({ name }) => name)));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new UsageError(`${stack} has no credential ${unknown}: see secrets list ${stack}`);
  return await runGenerate(
    [stack],
    { ...options, format: "text" },
    { rotate: true, regenerate: new Set(names) },
  );
}

/** Seals anew from the sources, for a machine without the private key. */
export async function runSecretsReseal(names: readonly string[], options: SecretsOptions): Promise<number> {
  return await runGenerate(names, { ...options, format: "text" }, { reseal: true });
}
