/** Finds values that are secrets by their looks or by the name of their key. It may miss one, never print one. */
import { looksSecret } from "../diagnostics/looks-secret.ts";
import { isBlock } from "../model/block.ts";
import type { Path } from "../model/topology.ts";

const SECRET_KEY =
  /(?:^|[_.-])(?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|secret_?key|private_?key|connection_?string|sas_?token|credentials?)$/;

/** True for a key that holds a credential by its name: `db_password`, `apiKey`, `GITHUB_TOKEN`. */
function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase());
}

/** Maps of the author's own keys: only there does a key's name say what its value is. */
const FREE_MAPS: ReadonlySet<string> = new Set(["config", "env_vars", "labels", "pod_labels"]);

export interface SuspectedSecret {
  readonly path: Path;
  /** Whether the value gave it away, or the name of its key. */
  readonly by: "value" | "key";
}

function isFreeMap(key: string): boolean {
  return FREE_MAPS.has(key) || key.startsWith("x-");
}

function suspect(text: string, key: string, isFree: boolean): SuspectedSecret["by"] | null {
  if (looksSecret(text)) return "value";
  return isFree && text !== "" && isSecretKey(key) ? "key" : null;
}

/** Whether there is anything to find: nearly always not, and then no path needs to be kept. */
function hasSuspect(node: unknown, key: string, isFree: boolean): boolean {
  if (typeof node === "string") return suspect(node, key, isFree) !== null;
  if (Array.isArray(node)) return node.some((item) => hasSuspect(item, key, isFree));
  if (!isBlock(node)) return false;
  for (const inner in node) {
    const value = node[inner];
    if (
      typeof value === "string"
        ? suspect(value, inner, isFree) !== null
        : hasSuspect(value, inner, isFree || isFreeMap(inner))
    ) {
      return true;
    }
  }
  return false;
}

function collect(node: unknown, path: Path, isFree: boolean, into: SuspectedSecret[]): void {
  if (typeof node === "string") {
    const by = suspect(node, String(path.findLast((step) => typeof step === "string")), isFree);
    if (by !== null) into.push({ path, by });
  } else if (Array.isArray(node)) {
    node.forEach((item, index) => collect(item, [...path, index], isFree, into));
  } else if (isBlock(node)) {
    for (const key in node) collect(node[key], [...path, key], isFree || isFreeMap(key), into);
  }
}

/** The values that look like secrets, anywhere below `value`, in the order of the file. */
export function scanForSecrets(value: unknown): readonly SuspectedSecret[] {
  if (!hasSuspect(value, "", false)) return [];
  const found: SuspectedSecret[] = [];
  collect(value, [], false, found);
  return found;
}
