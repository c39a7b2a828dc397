import { existsSync, readFileSync } from "node:fs";
import * as fs from "node:fs";
import { join } from "node:path";
import { readIdentities } from "../credentials/identities.ts";
import { repositoryOf } from "../credentials/repository.ts";
import { watchVariables } from "../credentials/variables.ts";
import { openSealed } from "../seal/open.ts";
import { currentRequest } from "./request.ts";

/**
 * The sealed credentials of an output, for a server on this machine. Nothing without a private key: the server
 * then says which variables it needs. A file that was altered, or that no key at hand fits, is an error.
 */
export async function openedCredentials(output: string): Promise<Readonly<Record<string, string>>> {
  const path = join(output, "credentials", "cloud.sops.env");
  if (!existsSync(path)) return {};
  const identities = readIdentities({
    fs,
    variables: watchVariables(process.env),
    configFolder: currentRequest().config,
    repository: repositoryOf(fs, output),
  });
  if (identities.length === 0) return {};
  const { entries } = await openSealed(path, readFileSync(path, "utf8"), "dotenv", identities);
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}
