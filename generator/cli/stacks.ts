import * as fs from "node:fs";
import { join, resolve } from "node:path";
import catalog from "#catalog";
import { formatDiagnostics } from "../diagnostics/format.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Engine } from "../generate.ts";
import type { FileSystem } from "../tree/disk.ts";
import type { Said } from "./no-change.ts";
import { print } from "./print.ts";
import { expectBytes } from "./run-length.ts";
import { UsageError, wantsColor } from "./terminal.ts";

export const engine: Engine = { fs, catalog };

export type Format = Parameters<typeof formatDiagnostics>[1];

const FORMATS: readonly Format[] = ["text", "json", "github", "sarif", "junit"];

export function formatOf(name: string): Format {
  const format = FORMATS.find((known) => known === name);
  if (format === undefined) throw new UsageError(`unknown format "${name}": use ${FORMATS.join(", ")}`);
  return format;
}

/** The stack files that the arguments name: a file, or the name of one in stacks/; all of them for none. */
function namedFiles(fs: FileSystem, names: readonly string[]): readonly string[] {
  if (names.length > 0) {
    return names.map((name) =>
      resolve(fs.existsSync(name) || name.endsWith(".yaml") ? name : join("stacks", `${name}.yaml`)),
    );
  }
  if (!fs.existsSync("stacks")) throw new UsageError("no folder stacks/ here: name a stack file");
  const found = fs
    .readdirSync("stacks")
    .filter((name) => /^[^.]+\.yaml$/.test(name))
    .sort();
  if (found.length === 0) throw new UsageError("stacks/ holds no stack file");
  return found.map((name) => resolve("stacks", name));
}

/** Nothing for what is not there: whoever reads it says so. */
function bytesAt(fs: FileSystem, path: string): number {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** What a run has to read, as its arguments name it; how long it will take is known from here on. */
export function stackFiles(fs: FileSystem, names: readonly string[]): readonly string[] {
  const files = namedFiles(fs, names);
  expectBytes(files.reduce((sum, path) => sum + bytesAt(fs, path), 0));
  return files;
}

/** Text goes to stderr, beside the progress; what machines read goes to stdout. */
export function reportOf(diagnostics: readonly Diagnostic[], format: Format): readonly Said[] {
  if (format !== "text") return [{ stream: "stdout", text: formatDiagnostics(diagnostics, format) }];
  if (diagnostics.length === 0) return [];
  return [{ stream: "stderr", text: formatDiagnostics(diagnostics, "text", { color: wantsColor() }) }];
}

export function report(diagnostics: readonly Diagnostic[], format: Format): void {
  reportOf(diagnostics, format).forEach(print);
}
