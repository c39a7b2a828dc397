/** How those who read a decrypted dotenv file take one line of it: each by rules of its own. */
import { parseEnv } from "node:util";

/** The value of `NAME=value` to one reader; `undefined` when it takes no value from the line. */
export type DotenvReader = (line: string, name: string) => string | undefined;

const behindEquals = (line: string): string => line.slice(line.indexOf("=") + 1);

/** SOPS: nothing is trimmed or unquoted; backslash and n are a newline. */
const sops: DotenvReader = (line) =>
  line.startsWith("#") || line.includes("\n") ? undefined : behindEquals(line).replaceAll("\\n", "\n");

/** kustomize `envs`, and so Flux: blanks before the name go, everything behind `=` stays. */
const kustomize: DotenvReader = (line) => {
  const [first = ""] = line.replace(/^\s+/u, "").split(/\r?\n/);
  return first.startsWith("#") ? undefined : behindEquals(first);
};

const QUOTED = /^(["'])(.*)\1$/s;

/** godotenv, and so KSOPS: trimmed, quotes taken off, comments behind a blank cut, variables replaced. */
const godotenv: DotenvReader = (line) => {
  const [first = ""] = line.trim().split("\n");
  const value = behindEquals(first).trim();
  const [, quote, inner] = QUOTED.exec(value) ?? [];
  const expand = (text: string): string =>
    text.replace(/(\\)?(\$)(\()?\{?([A-Z0-9_]+)?\}?/g, (whole, escaped, _dollar, call, variable) =>
      escaped !== undefined || call !== undefined ? whole.slice(1) : variable === undefined ? whole : "",
    );
  if (quote === "'" && inner !== undefined) return inner;
  if (quote === '"' && inner !== undefined)
    return expand(
      inner
        .replaceAll("\\n", "\n")
        .replaceAll("\\r", "\r")
        .replace(/\\([^$])/g, "$1"),
    );
  return expand(value.replace(/(?:^|\s)#.*$/s, "").trim());
};

/** The dotenv package of npm: quotes of three kinds, `#` anywhere cuts an unquoted value. */
const npmDotenv: DotenvReader = (line) => {
  const pattern =
    /^\s*[\w.-]+(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?$/m;
  const value = (pattern.exec(line)?.[1] ?? "").trim();
  const bare = value.replace(/^(['"`])([\s\S]*)\1$/, "$2");
  return value.startsWith('"') ? bare.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : bare;
};

/** `node --env-file`. */
const node: DotenvReader = (line, name) => parseEnv(line)[name];

export const DOTENV_READERS: Readonly<Record<string, DotenvReader>> = {
  sops,
  kustomize,
  godotenv,
  npmDotenv,
  node,
};
