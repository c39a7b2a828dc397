import { hash } from "node:crypto";
import { readArchive, writeArchive } from "./archive.ts";
import type { Files } from "./archive.ts";
import { BundleError } from "./bundle-error.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT = "application/vnd.topogate.bundle.v1";
const TITLE = "org.opencontainers.image.title";
const REF = "org.opencontainers.image.ref.name";
const LAYER = "application/vnd.oci.image.layer.v1.tar";
/** The name under which tools that take a bundle apart put down its files. */
export const FILES = "files.tar";
export const LAYOUT = "oci-layout";

/** What is signed and the signature, by the names that `bundle sign` gives them. */
const SIGNED_TYPES: Readonly<Record<string, string>> = {
  "bundle.dsse.json": "application/vnd.dsse.envelope.v1+json",
  "bundle.json": "application/vnd.topogate.bundle+json",
  "bundle.json.sig": "application/vnd.topogate.bundle.signature.v1",
};
export const SIGNED_NAMES: readonly string[] = Object.keys(SIGNED_TYPES);

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

const jsonOf = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
const blobPath = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;

/** An OCI image-layout of one bundle: the statement with its signature, and the files that it speaks of. */
export async function writeLayout(signed: Files, files: Files, name: string): Promise<Files> {
  const layout = new Map<string, Buffer>();
  const blob = (mediaType: string, bytes: Buffer, title?: string): Descriptor => {
    const digest = `sha256:${hash("sha256", bytes, "hex")}`;
    layout.set(blobPath(digest), bytes);
    const annotations = title === undefined ? {} : { annotations: { [TITLE]: title } };
    return { mediaType, digest, size: bytes.length, ...annotations };
  };
  const config = blob("application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const statements = [...signed].map(([title, bytes]) => blob(SIGNED_TYPES[title] ?? "", bytes, title));
  const layers = [...statements, blob(LAYER, await writeArchive(files), FILES)];
  const manifest = blob(
    MANIFEST,
    jsonOf({ schemaVersion: 2, mediaType: MANIFEST, artifactType: ARTIFACT, config, layers }),
  );
  const named = { ...manifest, artifactType: ARTIFACT, annotations: { [REF]: name } };
  layout.set("index.json", jsonOf({ schemaVersion: 2, mediaType: INDEX, manifests: [named] }));
  layout.set(LAYOUT, jsonOf({ imageLayoutVersion: "1.0.0" }));
  return layout;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(bytes: Buffer | undefined, path: string): Readonly<Record<string, unknown>> {
  if (bytes === undefined) throw new BundleError(`${path} is missing`);
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw new BundleError(`${path} is no JSON object`);
}

function descriptors(value: unknown, path: string): readonly Descriptor[] {
  if (!Array.isArray(value)) throw new BundleError(`${path} lists nothing`);
  return value.map((each: unknown): Descriptor => {
    const { mediaType, digest, size, annotations } = isRecord(each) ? each : {};
    if (
      typeof mediaType !== "string" ||
      typeof digest !== "string" ||
      !/^sha256:[0-9a-f]{64}$/.test(digest) ||
      typeof size !== "number"
    )
      throw new BundleError(`${path} has a descriptor without type, SHA-256 digest or size`);
    return {
      mediaType,
      digest,
      size,
      ...(isRecord(annotations) ? { annotations: annotations as Record<string, string> } : {}),
    };
  });
}

/** What a layout holds: one bundle of ours, every blob of it as its digest says. Beside the signature, which counts. */
export async function readLayout(
  read: (path: string) => Buffer | undefined,
): Promise<{ readonly signed: Files; readonly files: Files }> {
  if (parsed(read(LAYOUT), LAYOUT)["imageLayoutVersion"] !== "1.0.0")
    throw new BundleError(`${LAYOUT} is not of version 1.0.0`);
  const blobOf = ({ digest, size }: Descriptor): Buffer => {
    const bytes = read(blobPath(digest));
    if (bytes === undefined) throw new BundleError(`the blob ${digest} is missing`);
    if (bytes.length !== size || `sha256:${hash("sha256", bytes, "hex")}` !== digest)
      throw new BundleError(`the blob ${digest} is not what its digest and size say`);
    return bytes;
  };
  const listed = descriptors(parsed(read("index.json"), "index.json")["manifests"], "index.json").filter(
    ({ mediaType }) => mediaType === MANIFEST,
  );
  // One bundle with several tags is listed once for each.
  const distinct = new Map(listed.map((each) => [`${each.digest} ${each.size}`, each]));
  const manifests = [...distinct.values()]
    .map((each) => parsed(blobOf(each), `the manifest ${each.digest}`))
    .filter(({ artifactType }) => artifactType === ARTIFACT);
  const [manifest] = manifests;
  if (manifest === undefined || manifests.length > 1)
    throw new BundleError(`index.json names ${manifests.length} bundles, and must name one`);
  const layers = descriptors(manifest["layers"], "the manifest");
  const titled = (title: string): readonly Descriptor[] =>
    layers.filter(({ annotations }) => annotations?.[TITLE] === title);
  const [tar, ...more] = layers.filter(({ mediaType }) => mediaType === LAYER);
  if (tar === undefined || more.length > 0)
    throw new BundleError("the manifest must have one layer of files");
  const signed = SIGNED_NAMES.flatMap((title) => {
    const [layer] = titled(title);
    return layer === undefined ? [] : [[title, blobOf(layer)] as const];
  });
  return { signed: new Map(signed), files: await readArchive(blobOf(tar), "the layer of files") };
}
