/** A real API server for the live tests, the account of a link on it, and what the tests look at. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { Server } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { openHttp, requestJson } from "#runtime/http";
import type { HttpRequest, HttpService } from "#runtime/http";
import { settingsOf } from "#runtime/settings";
import type { NamespaceRights } from "../../generator/catalog/contract.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

type Json = Readonly<Record<string, unknown>>;
type Method = NonNullable<HttpRequest["method"]>;

const facts = {
  id: "live",
  component: "live",
  type: "kubernetes",
  env: "LIVE",
  host: "127.0.0.1",
  port: 443,
};

/** The drawing that the samples in the module's slots stand for. */
export const DRAWING = `apiVersion: topology/v1
stack: stack
components:
  cnpg: {namespace: db}
  consumer: {type: worker, namespace: app, image: "registry.test/consumer:1.0", replicas: 2}
  kubernetes:
    cidr: 192.0.2.1/32
    namespaces: [app, db]
    workloads: {web: {namespace: app, max: 4}, queue: {namespace: app, kind: statefulset}}
links:
  mcp: {stack_agent: read, kubernetes: {only: {app: write, db: read}}}
`;

/** The environment of a link to this server, with the token that stands in a file. */
export function environmentOf(server: LiveServer, tokenFile: string, prefix: string): Record<string, string> {
  return {
    [`${prefix}_URL`]: `https://127.0.0.1:${server.port}`,
    [`${prefix}_CA_FILE`]: join(server.folder, "apiserver.crt"),
    [`${prefix}_TOKEN_FILE`]: tokenFile,
  };
}

export interface Cluster {
  readonly server: LiveServer;
  /** As the administrator. Paths are written as in the documentation of the API. */
  ask(method: Method, path: string, json?: unknown, contentType?: string): Promise<Json>;
  /** `kubectl` as the administrator. */
  kubectl(args: readonly string[], input?: string): string;
  ensureNamespaces(names: Iterable<string>): Promise<void>;
  /** The path of a file with a fresh token of this service account, which is made when it is missing. */
  tokenOf(namespace: string, account: string): Promise<string>;
  stop(): Promise<void>;
}

const BIN = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "topogate/bin");

/** The path of a program that `live.sh install` built. */
export const builtProgram = (name: string): string => join(BIN, name);

/** One request by the path that the documentation of the API shows. */
export async function askCluster(
  http: HttpService,
  method: Method,
  path: string,
  json?: unknown,
  contentType?: string,
): Promise<Json> {
  const [segments = "", search] = path.split("?");
  const request = {
    method,
    path: segments.split("/").filter((part) => part !== ""),
    query: Object.fromEntries(new URLSearchParams(search)),
    signal: AbortSignal.timeout(30_000),
    ...(json === undefined ? {} : { json }),
    ...(contentType === undefined ? {} : { contentType }),
  };
  return (await requestJson(http, request)) as Json;
}

/** A client with the token of a file. */
export function clientOf(server: LiveServer, tokenFile: string): HttpService {
  return openHttp(
    facts,
    settingsOf(facts, environmentOf(server, tokenFile, "LIVE"), () => undefined),
  );
}

export async function startCluster(): Promise<Cluster> {
  const server = await startLive("kubernetes");
  const http = clientOf(server, join(server.folder, "admin.token"));
  const ask: Cluster["ask"] = async (...request) => await askCluster(http, ...request);
  await vi.waitFor(async () => await ask("GET", "/api/v1/namespaces/kube-system"), {
    timeout: 60_000,
    interval: 200,
  });
  const ensure = async (path: string, object: Json): Promise<void> => {
    await ask("POST", path, object).catch((error: unknown) => {
      if (!String(error).includes("already exists")) throw error;
    });
  };
  return {
    server,
    ask,
    stop: async () => await server.stop(),
    ensureNamespaces: async (names) => {
      for (const name of names) await ensure("/api/v1/namespaces", { metadata: { name } });
    },
    kubectl: (args, input = "") => {
      const run = spawnSync(
        builtProgram("kubectl"),
        ["--kubeconfig", join(server.folder, "kubeconfig"), ...args],
        { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
      );
      if (run.status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${run.stderr}`);
      return run.stdout + run.stderr;
    },
    tokenOf: async (namespace, account) => {
      await ensure("/api/v1/namespaces", { metadata: { name: namespace } });
      const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
      await ensure(accounts, { metadata: { name: account } });
      const made = await ask("POST", `${accounts}/${account}/token`, { spec: { expirationSeconds: 3600 } });
      const file = join(server.folder, `${namespace}.${account}.token`);
      writeFileSync(file, String((made["status"] as Json)["token"]), { mode: 0o600 });
      return file;
    },
  };
}

/** Gives a service account the rights, replacing what it had under this name. */
export async function grantRights(
  { ask }: Cluster,
  account: { readonly namespace: string; readonly name: string },
  rights: readonly NamespaceRights[],
): Promise<void> {
  const group = "rbac.authorization.k8s.io";
  const subjects = [{ kind: "ServiceAccount", ...account }];
  const roleRef = { apiGroup: group, kind: "Role", name: account.name };
  for (const { namespace, rules } of rights) {
    const root = `/apis/${group}/v1/namespaces/${namespace}`;
    const apply = async (plural: string, kind: string, content: Json): Promise<void> => {
      const object = { apiVersion: `${group}/v1`, kind, metadata: { name: account.name }, ...content };
      const path = `${root}/${plural}/${account.name}?fieldManager=live&force=true`;
      await ask("PATCH", path, object, "application/apply-patch+yaml");
    };
    await apply("roles", "Role", { rules });
    await apply("rolebindings", "RoleBinding", { roleRef, subjects });
  }
}

/** What a fake kubelet answers for one container. */
type Log = string | "endless" | "hostile";

export interface FakeKubelet {
  readonly port: number;
  /** Requests that the other side ended. */
  readonly dropped: () => number;
  stop(): void;
}

/**
 * The logs of containers, which only a kubelet has: fake, because a real one needs a container runtime and
 * images. The API server in front of it is real, and so are its rights and its parameters.
 */
export async function startFakeKubelet(
  server: LiveServer,
  logs: Readonly<Record<string, Log>>,
): Promise<FakeKubelet> {
  let dropped = 0;
  const read = (name: string): Buffer => readFileSync(join(server.folder, name));
  const kubelet: Server = createServer(
    { key: read("apiserver.key"), cert: read("apiserver.crt") },
    (request, response) => {
      const url = new URL(request.url ?? "", "https://kubelet");
      const [, , , pod = "", container = ""] = url.pathname.split("/");
      const log =
        logs[`${pod}/${container}${url.searchParams.get("previous") === "true" ? "/previous" : ""}`];
      response.on("close", () => (dropped += response.writableFinished ? 0 : 1));
      if (log === undefined) response.writeHead(404).end("not found");
      else if (log === "endless") response.write("2026-01-01T00:00:00Z first\n");
      else if (log === "hostile")
        for (let sent = 0; sent < 30; sent += 1) response.write("x".repeat(1_000_000));
      else response.end(tailOf(log, url.searchParams));
    },
  );
  await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
  const address = kubelet.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const stop = (): void => {
    kubelet.closeAllConnections();
    kubelet.close();
  };
  return { port, dropped: () => dropped, stop };
}

/** As a kubelet does: the last lines, cut off after so many bytes. */
function tailOf(log: string, query: URLSearchParams): string {
  const lines = log.split("\n").filter((line) => line !== "");
  const tail = lines.slice(-Number(query.get("tailLines") ?? lines.length));
  const limit = Number(query.get("limitBytes") ?? Infinity);
  return Buffer.from(`${tail.join("\n")}\n`)
    .subarray(0, Math.min(limit, 1e9))
    .toString();
}
