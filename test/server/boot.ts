import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CreateAdapter } from "#runtime/protocol/adapter";
import { createAdapter as fastmcp } from "#runtime/protocol/adapter-fastmcp";
import { createAdapter as sdk } from "#runtime/protocol/adapter-sdk";
import type { PolicyDocument } from "#runtime/policy/document";
import type { Registry } from "#runtime/registry";
import { startServer } from "#runtime/server";
import type { AdapterName } from "./emitted.ts";
import { createWitness } from "./notes.ts";
import type { Witness } from "./notes.ts";
import { policyOf, surfaceOf, testRegistry } from "./stack.ts";

export const CREATE: Readonly<Record<AdapterName, CreateAdapter>> = { sdk, fastmcp };

export function newKey(): string {
  return randomBytes(32).toString("base64url");
}

export type Json = Readonly<Record<string, unknown>>;
/** One row of the audit, flattened to what the tests ask about. */
export type AuditRow = Json;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Json;
}
export interface HttpQuestion {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** Sends the body in chunks without a length. */
  readonly chunked?: boolean;
  readonly signal?: AbortSignal;
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}

/** One HTTP request with full say over its headers, which `fetch` does not give. */
export async function ask(port: number, question: HttpQuestion): Promise<HttpAnswer> {
  const { method = "GET", path = "/mcp", headers = {}, body, chunked = false, signal } = question;
  const length = body === undefined || chunked ? {} : { "content-length": Buffer.byteLength(body) };
  return await new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        headers: { ...length, ...headers },
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) }),
        );
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    if (body !== undefined) request.write(body);
    request.end();
  });
}

/** One caller, as a well-behaved client of the 2025 era, with a session where there is one. */
export interface TestClient {
  rpc(
    method: string,
    params?: Json,
    options?: { readonly signal?: AbortSignal; readonly id?: number },
  ): Promise<Json>;
  notify(method: string, params: Json): Promise<number>;
  /** `tools/call`; the result or the error. */
  call(
    name: string,
    args?: Json,
    options?: { readonly signal?: AbortSignal; readonly id?: number },
  ): Promise<Json>;
}

export interface Booted extends TestClient {
  readonly approvalsPort: number;
  readonly metricsPort: number | null;
  readonly port: number;
  readonly key: string;
  readonly witness: Witness;
  readonly audit: () => readonly AuditRow[];
  /** The rows that were written since the last time this was asked. */
  readonly newRows: () => Promise<readonly AuditRow[]>;
  /** Puts another policy in place of the one that is enforced, as a whole. */
  replacePolicy(text: string): void;
  close(): Promise<void>;
}

function rowsIn(file: string): readonly AuditRow[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { event_type: string; payload: Json })
    .filter(({ event_type: event }) => event === "mcp.request")
    .map(({ payload }) => payload);
}

export const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "suite", version: "1.0.0" },
};
export const PASSWORD = 'n0tes/Pass+w0rd "quoted" & long';

/** A client with a key of its own; `headers` go with every request. */
export function connectAs(port: number, key: string, headers: OutgoingHttpHeaders = {}): TestClient {
  let nextId = 0;
  let session: OutgoingHttpHeaders | undefined;

  const post = async (message: Json, signal?: AbortSignal): Promise<HttpAnswer> =>
    await ask(port, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
        ...session,
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      ...(signal === undefined ? {} : { signal }),
    });
  const open = async (): Promise<void> => {
    if (session !== undefined) return;
    session = {};
    const { headers } = await post({ id: "open", method: "initialize", params: INITIALIZE });
    const id = headers["mcp-session-id"];
    session = typeof id === "string" ? { "mcp-session-id": id } : {};
  };
  const rpc: TestClient["rpc"] = async (method, params = {}, options = {}) => {
    await open();
    nextId += 1;
    return (await post({ id: options.id ?? nextId, method, params }, options.signal)).json;
  };
  return {
    rpc,
    notify: async (method, params) => {
      await open();
      return (await post({ method, params })).status;
    },
    call: async (name, args = {}, options = {}) => {
      const { result, error } = await rpc("tools/call", { name, arguments: args }, options);
      return (result ?? { error }) as Json;
    },
  };
}

/** A server in this process, on a free port, with its audit in a file. */
export async function boot(
  adapter: AdapterName,
  environment: Readonly<Record<string, string>> = {},
  change: (registry: Registry) => Registry = (registry) => registry,
  policy: Partial<PolicyDocument> = {},
): Promise<Booted> {
  const folder = mkdtempSync(join(tmpdir(), "topogate-audit-"));
  const file = environment["MCP_AUDIT_FILE"] ?? join(folder, "audit.jsonl");
  const key = newKey();
  const witness = createWitness();
  const registry = change(testRegistry(witness));
  const policyFile = join(folder, "policy.json");
  writeFileSync(policyFile, JSON.stringify(policyOf(registry, policy)));
  const server = await startServer({
    registry,
    surface: surfaceOf(registry),
    policyFile,
    environment: {
      MCP_API_KEY: key,
      MCP_PORT: "0",
      MCP_AUDIT_FILE: file,
      MCP_NOTES_PASSWORD: PASSWORD,
      MCP_RATE_LIMIT_READ_PER_MIN: "0",
      MCP_RATE_LIMIT_WRITE_PER_MIN: "0",
      MCP_RATE_LIMIT_GLOBAL_PER_MIN: "0",
      ...environment,
    },
    adapter: CREATE[adapter],
  });
  const port = server.port ?? 0;
  const client = connectAs(port, key);
  let seen = 0;

  const newRows = async (): Promise<readonly AuditRow[]> => {
    // Rows are written when the server sees the end of its response, a moment after the client does.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const rows = rowsIn(file);
    const fresh = rows.slice(seen);
    seen = rows.length;
    return fresh;
  };

  return {
    port,
    metricsPort: server.metricsPort,
    approvalsPort: server.approvalsPort ?? 0,
    key,
    witness,
    audit: () => rowsIn(file),
    newRows,
    ...client,
    replacePolicy: (text) => {
      writeFileSync(`${policyFile}.new`, text);
      renameSync(`${policyFile}.new`, policyFile);
    },
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
