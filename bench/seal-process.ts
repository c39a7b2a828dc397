/** One file sealed or opened by a process of its own: `seal | open`, the format, the file, a key. */
import { readFileSync, writeFileSync } from "node:fs";
import { openSealed } from "../generator/seal/open.ts";
import { seal } from "../generator/seal/seal.ts";
import type { SealedFormat } from "../generator/seal/seal.ts";
import { systemRandomness } from "../generator/seal/system-randomness.ts";

interface Plain {
  readonly entries: readonly { readonly name: string; readonly value: string }[];
}

const [what, format, file = "", key = ""] = process.argv.slice(2);
const path = `${file}.${what}`;

async function sealFile(): Promise<void> {
  const { entries } = JSON.parse(readFileSync(file, "utf8")) as Plain;
  const secret = { name: "bench", namespace: "bench", labels: {} };
  const request = { path, entries, secret, recipients: [key], previous: undefined, identities: [] };
  const { text } = await seal({ ...request, format: format as SealedFormat }, systemRandomness);
  writeFileSync(path, text);
}

async function openFile(): Promise<void> {
  const { entries } = await openSealed(path, readFileSync(file, "utf8"), format as SealedFormat, [key]);
  writeFileSync(path, entries.map(({ name, value }) => `${name}=${value}\n`).join(""));
}

void (what === "seal" ? sealFile() : openFile());
