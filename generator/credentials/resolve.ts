import type { Report } from "../diagnostics/report.ts";
import type { Credential } from "./credential.ts";
import { generatedValue } from "./generated.ts";
import { Secret } from "./secret.ts";
import type { SecretFiles } from "./secret-files.ts";
import type { Variables } from "./variables.ts";

/** Where a value was found; `kept` stands unread in the sealed file, `cluster` never passes through here. */
export type Origin = "env" | "file" | "sealed" | "generated" | "kept" | "cluster" | "missing";

export interface Resolution {
  readonly credential: Credential;
  readonly origin: Origin;
  readonly value: Secret | undefined;
}

export interface Sources {
  readonly stack: string;
  readonly variables: Variables;
  readonly files: SecretFiles;
  /** What the sealed files of this output hold, as far as a private key could open them. */
  readonly existing: ReadonlyMap<string, string>;
  /** The names in the sealed files, opened or not. */
  readonly sealed: ReadonlySet<string>;
  /** Names whose generated value is to be made anew. */
  readonly regenerate: ReadonlySet<string>;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly report: Report;
}

type Found = readonly [Origin, string] | undefined;

function fromVariable(name: string, { variables }: Sources): Found {
  const value = variables.read(name);
  return value === undefined ? undefined : ["env", value];
}

async function fromFile(credential: Credential, reference: string, sources: Sources): Promise<Found> {
  const value = await sources.files.valueAt(reference);
  if (value === undefined) return undefined;
  if (typeof value === "string") return ["file", value];
  sources.report("E-SECRET-SOURCE", `${credential.name}: ${reference} ${value.problem}`, credential.path);
  return undefined;
}

/** `stacks/shop.secrets.sops.env`, beside the stack file. */
function fromStackFile(credential: Credential, name: string, sources: Sources): Promise<Found> {
  return fromFile(credential, `${sources.stack}.secrets.sops.env#${name}`, sources);
}

function generated({ name }: Credential, length: number, sources: Sources): Found {
  const again = sources.regenerate.has(name);
  // What stands in a sealed file that nobody could open here is never replaced by a new value.
  if (sources.sealed.has(name) && !again) return undefined;
  return ["generated", generatedValue(length, sources.randomBytes)];
}

async function written(credential: Credential, sources: Sources): Promise<Found> {
  const { source, name } = credential;
  switch (source.from) {
    case "env":
      return fromVariable(source.name, sources);
    case "key":
      return await fromStackFile(credential, source.name, sources);
    case "file":
      return await fromFile(credential, source.path, sources);
    case "implied":
      return fromVariable(name, sources) ?? (await fromStackFile(credential, name, sources));
    case "generate":
    case "k8s":
    case "external":
      return undefined;
  }
}

function lengthOf({ source, length }: Credential): number | null {
  if (source.from === "generate") return source.length;
  return source.from === "implied" ? length : null;
}

/** Whether the pods read the value from the cluster, so that it is never seen here. */
export function isInCluster({ source }: Credential): boolean {
  return source.from === "k8s" || source.from === "external";
}

async function resolveOne(credential: Credential, sources: Sources): Promise<Resolution> {
  if (isInCluster(credential)) return { credential, origin: "cluster", value: undefined };
  const { name } = credential;
  const existing = sources.regenerate.has(name) ? undefined : sources.existing.get(name);
  const length = lengthOf(credential);
  const found =
    (await written(credential, sources)) ??
    (existing === undefined ? undefined : (["sealed", existing] as const)) ??
    (length === null ? undefined : generated(credential, length, sources));
  if (found !== undefined) return { credential, origin: found[0], value: new Secret(found[1]) };
  return { credential, origin: sources.sealed.has(name) ? "kept" : "missing", value: undefined };
}

/**
 * The values of credentials, each from where the drawing says. With nothing written: the variable of its
 * name, the stack's own SOPS file, what is sealed already, or a value that is made now and never again.
 */
export async function resolveCredentials(
  credentials: readonly Credential[],
  sources: Sources,
): Promise<readonly Resolution[]> {
  const resolutions: Resolution[] = [];
  for (const credential of credentials) resolutions.push(await resolveOne(credential, sources));
  return resolutions;
}
