/** The real cluster of the live suite, asked as its administrator, and what it holds. */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { vi } from "vitest";
import { freePort, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface LiveSearch {
  readonly server: LiveServer;
  readonly caFile: string;
  ask(method: string, path: string, body?: unknown, login?: string): Promise<Answer>;
}

const ADMIN = "admin:admin";

async function send(
  server: LiveServer,
  ca: string,
  method: string,
  path: string,
  body: unknown,
  auth: string,
): Promise<Answer> {
  const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  return await new Promise((resolve, reject) => {
    // Node counts no bytes of its own for DELETE.
    const length = Buffer.byteLength(payload ?? "");
    const headers =
      payload === undefined ? {} : { "content-type": "application/json", "content-length": length };
    const asked = request(
      { host: "127.0.0.1", port: server.port, method, path, ca, auth, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    asked.on("error", reject);
    asked.end(payload);
  });
}

export async function startSearch(): Promise<LiveSearch> {
  const server = await startLive("opensearch", { TRANSPORT_PORT: String(await freePort()) });
  const caFile = join(server.folder, "server.crt");
  const ca = readFileSync(caFile, "utf8");
  const ask: LiveSearch["ask"] = async (method, path, body, login = ADMIN) =>
    await send(server, ca, method, path, body, login);
  // The security plugin makes its index after the port is open.
  await vi.waitFor(
    async () => {
      const { status, body } = await ask("GET", "/_cluster/health");
      if (status !== 200) throw new Error(`not ready: ${status} ${body}`);
    },
    { timeout: 120_000, interval: 500 },
  );
  return { server, caFile, ask };
}

/** As administrator, and it has to work. */
export async function make(search: LiveSearch, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await search.ask(method, path, body);
  if (answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
  if (path.includes("_bulk") && answer.body.includes('"errors":true'))
    throw new Error(answer.body.slice(0, 500));
}

export async function bulk(search: LiveSearch, index: string, documents: readonly object[]): Promise<void> {
  const lines = documents.map((document) => `{"index":{}}\n${JSON.stringify(document)}\n`).join("");
  await make(search, "POST", `/${index}/_bulk`, lines);
}

const keyword = { type: "keyword" };

export async function seed(search: LiveSearch): Promise<void> {
  const mappings = {
    properties: {
      ts: { type: "date" },
      level: keyword,
      msg: { type: "text", fields: { raw: keyword } },
      user: { properties: { id: { type: "long" }, name: keyword } },
      ms: { type: "double" },
    },
  };
  await make(search, "PUT", "/logs-1", {
    settings: { number_of_shards: 2, number_of_replicas: 0 },
    mappings,
  });
  await make(search, "PUT", "/logs-2", {
    settings: { number_of_shards: 1, number_of_replicas: 1 },
    mappings,
  });
  await make(search, "PUT", "/products", {
    mappings: { properties: { name: { type: "text" }, ms: { type: "long" } } },
  });
  await make(search, "PUT", "/hidden");
  const entry = (minute: number, level: string, msg: string, ms: number) => ({
    ts: `2026-01-01T00:${String(minute).padStart(2, "0")}:00Z`,
    level,
    msg,
    ms,
    user: { id: minute, name: minute % 2 === 0 ? "ann" : "bob" },
    password: "hunter2-in-a-document",
  });
  await bulk(search, "logs-1", [
    entry(0, "info", "service started", 5),
    entry(1, "error", "timeout of the database", 100),
  ]);
  await bulk(search, "logs-2", [
    entry(2, "error", "timeout of the queue", 300),
    entry(59, "info", "<em>grüße</em>", 7),
  ]);
  await bulk(search, "products", [
    { name: "lamp", ms: 1 },
    { name: "x".repeat(5000), ms: 2, tags: Array.from({ length: 50 }, (_, at) => at) },
  ]);
  await bulk(search, "hidden", [{ secret: "out of reach" }]);
  await make(search, "POST", "/_refresh");
}
