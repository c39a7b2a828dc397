import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isCommitted, repositoryOf } from "../credentials/repository.ts";
import * as fs from "node:fs";
import { currentRequest } from "./request.ts";
import { ExitCode, UsageError } from "./terminal.ts";

export interface KeygenOptions {
  readonly output?: string;
}

/**
 * Makes a private key of age where sops and this program look for one, and prints what a stack file names.
 * An existing file is never touched: what is sealed to its key could not be opened any more.
 */
export async function runSecretsKeygen(options: KeygenOptions): Promise<number> {
  const path = resolve(options.output ?? join(currentRequest().config, "sops", "age", "keys.txt"));
  if (existsSync(path)) throw new UsageError(`${path} exists: keep it, or name another file with --output`);
  if (isCommitted(repositoryOf(fs, dirname(path)), path))
    throw new UsageError(`${path} lies inside a repository, where a private key ends up committed`);
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `# public key: ${recipient}\n${identity}\n`, { flag: "wx", mode: 0o600 });
  process.stderr.write(`wrote the private key to ${path}: keep a copy in a safe place\n`);
  process.stdout.write(`${recipient}\n`);
  return ExitCode.ok;
}
