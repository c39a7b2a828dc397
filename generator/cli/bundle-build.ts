import { lstatSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { writeArchive } from "../bundle/archive.ts";
import type { Files } from "../bundle/archive.ts";
import { BundleError } from "../bundle/bundle-error.ts";
import { writeLayout } from "../bundle/oci-layout.ts";
import { readPublicKey } from "./audit.ts";
import { findBundle, statementOf } from "./bundle.ts";
import { placeFolder, standing } from "./bundle-place.ts";
import { demandOurs, demandSafeNames, finding, isSame, signedFiles, verified } from "./bundle-pull.ts";
import { openSource } from "./bundle-source.ts";

export interface BuildOptions {
  readonly out: string;
  readonly to: string;
  readonly pub: string;
  readonly bundle?: string;
}

function signedAt(path: string): Files {
  if (path.endsWith(".dsse.json")) return new Map([["bundle.dsse.json", readFileSync(path)]]);
  return new Map([
    ["bundle.json", readFileSync(path)],
    ["bundle.json.sig", readFileSync(`${path}.sig`)],
  ]);
}

async function layoutOf(stack: string, { out, pub, bundle }: BuildOptions): Promise<Files> {
  const folder = resolve(out, stack);
  const present = Object.keys(statementOf(folder).files);
  const { statement, signed } = verified(signedAt(findBundle(folder, bundle)), readPublicKey(pub));
  demandSafeNames(statement);
  const unsigned = present.find((path) => !Object.hasOwn(statement.files, path));
  if (unsigned !== undefined)
    throw new BundleError(`${unsigned} is not in the bundle: sign this output again`);
  const files = signedFiles(statement, (await openSource(folder)).read);
  return await writeLayout(signed, files, stack);
}

async function writeAsArchive(place: string, layout: Files): Promise<void> {
  const archive = await writeArchive(layout);
  if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) {
    if (lstatSync(place).isFile() && readFileSync(place).equals(archive)) return;
    throw new BundleError(`${place} is there already, and is something else`);
  }
  writeFileSync(`${place}.${process.pid}.tmp`, archive, { flag: "wx", mode: 0o644, flush: true });
  renameSync(`${place}.${process.pid}.tmp`, place);
}

async function build(stack: string, options: BuildOptions): Promise<string> {
  const layout = await layoutOf(stack, options);
  const place = resolve(options.to);
  if (place.endsWith(".tar")) await writeAsArchive(place, layout);
  else {
    const there = standing(place);
    demandOurs(there, undefined, layout, place);
    if (!isSame(there, layout)) placeFolder(place, layout);
  }
  return place;
}

/** The output as it was signed, as an OCI image-layout: a folder, or an archive where the name ends in `.tar`. */
export async function runBundleBuild(stack: string, options: BuildOptions): Promise<number> {
  return await finding(build(stack, options));
}
