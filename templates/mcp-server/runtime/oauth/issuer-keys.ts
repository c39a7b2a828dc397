import { createLocalJWKSet, errors } from "jose";
import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters, KeyObject } from "jose";
import { ToolFault } from "#runtime/fault";
import { openHotFile } from "#runtime/hot-file";
import { send } from "#runtime/http/transport";
import type { TlsFiles } from "#runtime/http/transport";

export type FindKey = (
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
) => Promise<CryptoKey | KeyObject>;
type Keys = ReturnType<typeof createLocalJWKSet>;

/** The issuer's keys are not to be had, so that nothing can be said about a token. */
export class NoKeys extends Error {}

/** From then on keys are asked for again; those that are there still count. */
const FRESH_MS = 5 * 60_000;
/** From then on they do not: what the issuer took back must not live on here. */
const OLD_MS = 10 * 60_000;
/** Between two questions, whatever comes: tokens with made-up keys must not make this server ask for each. */
const PAUSE_MS = 10_000;
/** After a question without an answer. */
const RETRY_MS = 2_000;
const ANSWER_MS = 3_000;
const MOST_BYTES = 256 * 1024;

function parseKeySet(text: string): Keys {
  const value: unknown = JSON.parse(text);
  return createLocalJWKSet(value as Parameters<typeof createLocalJWKSet>[0]);
}

async function textOf(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream, and that ends the transfer.
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function fetchKeys(url: URL, tls: TlsFiles): Promise<Keys> {
  const headers = { accept: "application/jwk-set+json, application/json" };
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    const answer = await send(url, { method: "GET", headers, body: null, signal, verbatim: false }, tls);
    if (answer.status === 200) return parseKeySet(await textOf(answer));
    await answer.body?.cancel();
    throw new Error(`status ${answer.status}`);
  } catch (problem) {
    // The ways there name it differently, and one of them as if the other side had hung up.
    throw signal.aborted ? new Error(`no answer in ${ANSWER_MS} ms`) : problem;
  }
}

/** What went wrong, without what the other side said. */
function reasonOf(problem: unknown): string {
  if (!(problem instanceof Error)) return "unknown error";
  if (problem instanceof ToolFault) return problem.hint ?? problem.code;
  const cause: unknown = problem.cause ?? problem;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return /^(status|more than|no answer in) /.test(problem.message) ? problem.message : problem.name;
}

/** The keys that stand at a URL, asked for when a token needs them. */
export function remoteKeys(url: URL, tls: TlsFiles): FindKey {
  let keys: Keys | undefined;
  let fetchedAt = -OLD_MS;
  let nextAt = 0;
  let underWay: Promise<void> | undefined;
  let told = "";
  const now = (): number => performance.now();
  const ask = async (): Promise<void> => {
    try {
      keys = await fetchKeys(url, tls);
      [fetchedAt, nextAt, told] = [now(), now() + PAUSE_MS, ""];
    } catch (problem) {
      nextAt = now() + RETRY_MS;
      const why = reasonOf(problem);
      if (why !== told)
        process.stderr.write(`MCP_OAUTH_JWKS_URL: the issuer's keys are not to be had (${why})\n`);
      told = why;
    } finally {
      underWay = undefined;
    }
  };
  const refresh = async (): Promise<void> => {
    if (underWay === undefined && now() < nextAt) return;
    await (underWay ??= ask());
  };
  const usable = (): Keys => {
    if (keys === undefined || now() - fetchedAt > OLD_MS) throw new NoKeys();
    return keys;
  };
  return async (header, token) => {
    const age = now() - fetchedAt;
    if (keys === undefined || age > OLD_MS) await refresh();
    else if (age > FRESH_MS) void refresh();
    const before = usable();
    try {
      return await before(header, token);
    } catch (problem) {
      if (!(problem instanceof errors.JWKSNoMatchingKey)) throw problem;
      await refresh();
      return await usable()(header, token);
    }
  };
}

/** The keys of a file that was committed with the drawing. */
export function fileKeys(path: string): FindKey {
  const file = openHotFile(path, "issuer-keys.json", parseKeySet);
  file.current();
  return async (header, token) => {
    const keys = file.current();
    if (keys === undefined) throw new NoKeys();
    return await keys(header, token);
  };
}
