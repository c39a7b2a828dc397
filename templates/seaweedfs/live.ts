/** The two real stores of the live suite, each with the emitted accounts of the stack that the tools' samples describe. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { authorizationOf, amzDate, sha256 } from "#runtime/seaweedfs/sigv4";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

const CACHE = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const BIN = join(CACHE, "topogate", "bin");

export type StoreType = "seaweedfs" | "minio";

export interface Key {
  readonly id: string;
  readonly secret: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface RealStore {
  readonly type: StoreType;
  readonly server: LiveServer;
  /** Settings and credentials of the link. */
  readonly environment: Readonly<Record<string, string>>;
  readonly administrator: Key;
  /** The account whose variables start with this. */
  keyOf(part: string): Key;
  stop(): Promise<void>;
}

export const PARTS = ["BACKUPS", "INVOICES", "INVOICES_WRITER"] as const;

/** As in the samples of `tools.ts`. */
export const stackOf = (type: string, port: number): string => `apiVersion: topology/v1
stack: stack
components:
  ${type}:
    host: 127.0.0.1
    port: ${port}
    buckets: {backups: {bucket: shop-backups, prefix: daily/}, invoices: {write_prefix: ai/}}
links:
  mcp: {${type}: {only: {backups: read, invoices: write}}}
`;

/** One request with a key, as any client could send it: the path is written as it goes out. */
export async function ask(
  port: number,
  key: Key,
  method: string,
  path: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Buffer } = {},
): Promise<Answer> {
  const url = new URL(path, `http://127.0.0.1:${port}`);
  const now = new Date();
  const payload = sha256(options.body ?? "");
  const headers = { ...options.headers, "x-amz-content-sha256": payload, "x-amz-date": amzDate(now) };
  const account = { ...key, region: "us-east-1", service: "s3" };
  const authorization = authorizationOf(
    { method, url, headers: { ...headers, host: url.host }, payload },
    account,
    now,
  );
  const answer = await fetch(url, {
    method,
    headers: { ...headers, authorization },
    redirect: "manual",
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  return { status: answer.status, text: await answer.text() };
}

/** What the README's commands need beside the sealed credentials: the programs, and who the administrator is. */
function surroundings(
  type: StoreType,
  server: LiveServer,
  folder: string,
  { id, secret }: Key,
): Record<string, string> {
  const base = { PATH: `${BIN}:${process.env["PATH"] ?? ""}`, HOME: folder };
  if (type === "minio") return { ...base, MC_HOST_store: `http://${id}:${secret}@127.0.0.1:${server.port}` };
  return { ...base, WEED_MASTER: readFileSync(join(server.folder, "master"), "utf8").trim() };
}

async function untilItAnswers(port: number, key: Key): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { status, text } = await ask(port, key, "GET", "/").catch(() => ({ status: 0, text: "" }));
    if (status === 200) return;
    if (performance.now() > deadline) throw new Error(`the store does not list buckets: ${status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Starts the store, makes its buckets, and applies the README of the link's principals word for word. */
export async function startStore(type: StoreType): Promise<RealStore> {
  const administrator = { id: "administrator", secret: randomBytes(16).toString("hex") };
  const server = await startLive("seaweedfs", {
    STORE: type,
    AWS_ACCESS_KEY_ID: administrator.id,
    AWS_SECRET_ACCESS_KEY: administrator.secret,
  });
  await untilItAnswers(server.port, administrator);
  for (const bucket of ["shop-backups", "invoices", "other"]) {
    const { status, text } = await ask(server.port, administrator, "PUT", `/${bucket}`);
    if (status !== 200) throw new Error(`no bucket ${bucket}: ${text}`);
  }
  const secrets = Object.fromEntries(
    PARTS.map((part) => [`MCP_S3_${part}_SECRET_KEY`, randomBytes(16).toString("hex")]),
  );
  const ids = Object.fromEntries(
    PARTS.map((part) => [`MCP_S3_${part}_ACCESS_KEY`, `mcp-${type}-${part.toLowerCase().replace("_", "-")}`]),
  );
  const principals = await emitPrincipals(stackOf(type, server.port));
  const environment = { ...surroundings(type, server, principals.folder, administrator), ...secrets };
  try {
    // Twice, as after a change.
    principals.apply(type, environment);
    principals.apply(type, environment);
  } finally {
    principals.remove();
  }
  return {
    type,
    server,
    administrator,
    environment: { MCP_S3_URL: `http://127.0.0.1:${server.port}`, ...ids, ...secrets },
    keyOf: (part) => ({
      id: ids[`MCP_S3_${part}_ACCESS_KEY`] ?? "",
      secret: secrets[`MCP_S3_${part}_SECRET_KEY`] ?? "",
    }),
    stop: async () => await server.stop(),
  };
}
