/** The one step that sees values: it runs after everything else is rendered, and adds the sealed files. */
import type { Report } from "../diagnostics/report.ts";
import { header } from "../emit/header.ts";
import { readSealedNames } from "../seal/open.ts";
import { SealError } from "../seal/seal-error.ts";
import { seal } from "../seal/seal.ts";
import type { SealEntry, Sealed, SealOutcome } from "../seal/seal.ts";
import { placeOf } from "../tree/file-tree.ts";
import type { FileTree, GeneratedFile } from "../tree/file-tree.ts";
import { allCredentials } from "./credential.ts";
import type { Credential } from "./credential.ts";
import { checksumPatch, credentialsChecksum } from "./checksum.ts";
import { EXAMPLE_RECIPIENT } from "./example-key.ts";
import { inspectCredentials, isMissing } from "./inspect.ts";
import { refuseLeaks } from "./leaks.ts";
import { isInCluster } from "./resolve.ts";
import type { Resolution } from "./resolve.ts";
import { SEALED_FILES, SECRET_FILE, shownPath } from "./sealed-before.ts";
import type { SealedBefore } from "./sealed-before.ts";
import type { OutputToSeal, SealSurroundings } from "./surroundings.ts";

const CHECKSUM_FILE = "k8s/credentials-checksum.yaml";
const FROM = "hooks/credentials.ts";
const RECIPIENTS = ["components", "mcp", "recipients"];

export interface SealedOutput {
  /** With the sealed files. */
  readonly tree: FileTree;
  /** What stood on disk when the work began: a run may replace that, and nothing newer. */
  readonly base: ReadonlyMap<string, string | undefined>;
  /** `null` when nothing is sealed. */
  readonly outcome: SealOutcome | null;
  /** Who could read these values until now, and may remember them. */
  readonly removedRecipients: readonly string[];
}

/** What to do for a value: where the drawing says to look, or what the convention offers. */
function remedy({ source, name }: Credential, stack: string): string {
  switch (source.from) {
    case "env":
      return `set the variable ${source.name}`;
    case "file":
      return `put it into ${source.path}, or give the private key that opens the file`;
    case "key":
      return `add ${source.name} to ${stack}.secrets.sops.env beside the stack file`;
    default:
      return `set the variable ${name}, add it to ${stack}.secrets.sops.env beside the stack file, or say under credentials where it is`;
  }
}

function reportMissing(resolutions: readonly Resolution[], stack: string, report: Report): void {
  for (const { credential } of resolutions.filter(isMissing)) {
    const { name, path } = credential;
    report(
      "W-SECRET-MISSING",
      `${name} has no value, so nothing is sealed for it: ${remedy(credential, stack)}`,
      path,
    );
  }
}

function reportNoRecipient({ root }: OutputToSeal, { fs }: SealSurroundings, report: Report): void {
  const left = SEALED_FILES.find(({ path }) => fs.existsSync(placeOf(root, path)));
  if (left === undefined) {
    report(
      "W-NO-RECIPIENT",
      "nobody is named to whom credentials could be sealed, so none is written: add recipients with an age key",
      RECIPIENTS,
    );
    return;
  }
  report(
    "E-NO-RECIPIENT",
    `${shownPath(root, left.path)} is sealed, and the last recipient is gone from the drawing: put one back, or delete the sealed files if their values are no longer needed`,
    RECIPIENTS,
  );
}

/** Whether there is somebody to seal to; what stands in the way is reported. */
function mayBeSealed(output: OutputToSeal, around: SealSurroundings, report: Report): boolean {
  const { recipients } = output.topology.server;
  if (recipients.length === 0) {
    reportNoRecipient(output, around, report);
    return false;
  }
  if (!recipients.includes(EXAMPLE_RECIPIENT) || around.isExample) return true;
  report(
    "E-EXAMPLE-KEY",
    "this is the public key of the examples, and everybody has its private key: make your own with age-keygen",
    RECIPIENTS,
  );
  return false;
}

/** What the Secret holds beside the credentials. */
function derivedEntries(
  { root, seal: { gatewayKey } }: OutputToSeal,
  before: SealedBefore,
  entries: readonly SealEntry[],
): readonly SealEntry[] {
  const source = entries.find(({ name }) => name === gatewayKey?.of);
  if (gatewayKey === null || source === undefined) return [];
  const { key, of, prefix } = gatewayKey;
  if (source.value !== undefined) return [{ name: key, value: prefix + source.value }];
  const path = shownPath(root, SECRET_FILE);
  const text = before.texts.get(SECRET_FILE);
  if (text !== undefined && readSealedNames(path, text, "secret").names.includes(key))
    return [{ name: key, value: undefined }];
  const problem = `${key} is made from ${of}, which only a private key can open: give it, or a value for ${of}`;
  throw new SealError(path, "values-missing", problem, [of]);
}

async function sealFiles(
  output: OutputToSeal,
  { how, randomness }: SealSurroundings,
  before: SealedBefore,
  entries: readonly SealEntry[],
): Promise<ReadonlyMap<string, Sealed>> {
  const { root, topology, seal: facts } = output;
  const derived = derivedEntries(output, before, entries);
  const sealed = new Map<string, Sealed>();
  for (const { path, format } of SEALED_FILES) {
    const request = {
      path: shownPath(root, path),
      format,
      entries: format === "secret" ? [...entries, ...derived] : entries,
      secret: facts.credentials.secret,
      recipients: topology.server.recipients,
      previous: before.texts.get(path),
      identities: before.identities,
      rotate: how.rotate === true,
      reseal: how.reseal === true,
    };
    sealed.set(path, await seal(request, randomness));
  }
  return sealed;
}

function checksumFile(
  { topology, tree, seal: { credentials, restarted } }: OutputToSeal,
  secret: string,
): GeneratedFile | null {
  const paths = [...tree.keys()];
  const deployments = restarted
    .filter(({ folder }) => paths.some((path) => path.startsWith(`${folder}/`)))
    .map(({ deployment }) => deployment);
  if (deployments.length === 0) return null;
  const { entries } = readSealedNames(SECRET_FILE, secret, "secret");
  const patch = checksumPatch(deployments, credentials.secret.namespace, credentialsChecksum(entries));
  return { kind: "sealed", from: FROM, text: header(CHECKSUM_FILE, topology.source) + patch };
}

/** The outcome of both files together: the one that changed says more. */
function outcomeOf(sealed: Iterable<Sealed>): SealOutcome | null {
  const outcomes = [...sealed].map(({ outcome }) => outcome);
  return outcomes.find((outcome) => !outcome.startsWith("kept")) ?? outcomes[0] ?? null;
}

async function sealWhole(
  output: OutputToSeal,
  around: SealSurroundings,
  report: Report,
): Promise<SealedOutput> {
  const { before, resolutions } = await inspectCredentials(output, around, report);
  reportMissing(resolutions, output.topology.stack, report);
  const entries = resolutions
    .filter(({ origin }) => origin !== "missing" && origin !== "cluster")
    .map(({ credential, value }) => ({ name: credential.name, value: value?.reveal() }));
  const sealed = await sealFiles(output, around, before, entries);
  const tree = new Map(output.tree);
  for (const [path, { text }] of sealed) tree.set(path, { kind: "sealed", from: FROM, text });
  const checksum = checksumFile(output, sealed.get(SECRET_FILE)?.text ?? "");
  if (checksum !== null) tree.set(CHECKSUM_FILE, checksum);
  const known = resolutions.flatMap(({ credential: { name }, value }) =>
    value === undefined ? [] : [{ name, value }],
  );
  refuseLeaks(tree, known);
  return {
    tree,
    base: before.texts,
    outcome: outcomeOf(sealed.values()),
    removedRecipients: [
      ...new Set([...sealed.values()].flatMap(({ removedRecipients }) => removedRecipients)),
    ],
  };
}

/** Adds the sealed files to an output. What is wrong is reported, and the tree then must not be written. */
export async function sealOutput(
  output: OutputToSeal,
  around: SealSurroundings,
  report: Report,
): Promise<SealedOutput> {
  const nothing = { tree: output.tree, base: new Map(), outcome: null, removedRecipients: [] };
  if (allCredentials(output.seal.credentials).every(isInCluster) || !mayBeSealed(output, around, report)) {
    refuseLeaks(output.tree, []);
    return nothing;
  }
  try {
    return await sealWhole(output, around, report);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    report("E-SEALED", error.message, RECIPIENTS);
    return nothing;
  }
}
