/** A real Argo CD over a real API server, with repositories of its own and the emitted account. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

const BIN = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "topogate", "bin");
const PATH = `${BIN}:${process.env["PATH"] ?? ""}`;

export const FLOOD_NAMESPACE = "argocd-flood";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface RealArgo {
  readonly server: LiveServer;
  kubectl(args: readonly string[], input?: string): string;
  git(folder: string, ...args: readonly string[]): string;
  /** One request with a token, as any client could send it. */
  ask(token: string, method: string, path: string, body?: object): Promise<Answer>;
  /** Applies the README of the link's principals word for word, and makes the account's token. */
  accountOf(stack: string, account: string): Promise<string>;
  stop(): Promise<void>;
}

function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  input = "",
): string {
  const done = spawnSync(command, args, {
    input,
    encoding: "utf8",
    env: { PATH, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

async function until<T>(what: string, attempt: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + 90_000;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await attempt();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${what} took too long`, { cause: last });
}

/** As in the samples of `tools.ts`. */
export const stackOf = (port: number): string => `apiVersion: topology/v1
stack: stack
components:
  argo_cd:
    namespace: argocd
    host: 127.0.0.1
    port: ${port}
    applications: {shop: , shop-infra: {project: platform}}
links:
  mcp: {argo_cd: {only: {shop: write, shop-infra: read}}}
`;

/** The names of as many applications as a large company has. */
export const FLOOD = Array.from({ length: 1400 }, (_, index) => `flood-${String(index).padStart(4, "0")}`);

export const floodStackOf = (port: number): string => `apiVersion: topology/v1
stack: flood
components:
  argo_cd:
    namespace: argocd
    host: 127.0.0.1
    port: ${port}
    applications: {${FLOOD.map((name) => `${name}: {project: flood, namespace: ${FLOOD_NAMESPACE}}`).join(", ")}}
links: {mcp: {argo_cd: read}}
`;

/** The files of a commit, by their paths. */
export function commit(argo: RealArgo, files: Readonly<Record<string, string>>, message: string): string {
  const folder = join(argo.server.folder, "git", "shop");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  argo.git(folder, "add", "-A");
  argo.git(folder, "commit", "-q", "-m", message);
  return argo.git(folder, "rev-parse", "HEAD").trim();
}

async function administratorOf(server: LiveServer, kubectl: RealArgo["kubectl"]): Promise<string> {
  const secret = await until("the administrator's password", () => {
    const encoded = kubectl([
      "-n",
      "argocd",
      "get",
      "secret",
      "argocd-initial-admin-secret",
      "-o",
      "jsonpath={.data.password}",
    ]);
    return encoded === "" ? undefined : Buffer.from(encoded, "base64").toString();
  });
  return await until("a session", async () => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "admin", password: secret }),
    });
    return answer.ok ? ((await answer.json()) as { token: string }).token : undefined;
  });
}

export async function startArgo(): Promise<RealArgo> {
  const cluster = await startLive("kubernetes");
  // Argo CD hands the content of a token's file on as it is, its last newline too.
  const token = readFileSync(join(cluster.folder, "admin.token"), "utf8").trim();
  const KUBECONFIG = join(cluster.folder, "argo-cd.kubeconfig");
  const given = readFileSync(join(cluster.folder, "kubeconfig"), "utf8");
  writeFileSync(KUBECONFIG, given.replace(/tokenFile: "[^"]*"/, `token: "${token}"`), { mode: 0o600 });
  const kubectl: RealArgo["kubectl"] = (args, input) =>
    run("kubectl", args, { KUBECONFIG, HOME: cluster.folder }, input);
  await until("the cluster", () => kubectl(["get", "namespace", "kube-system", "-o", "name"]) || undefined);
  const server = await startLive("argo-cd", { KUBECONFIG, APPLICATION_NAMESPACES: FLOOD_NAMESPACE }).catch(
    async (error: unknown) => {
      await cluster.stop();
      throw error;
    },
  );
  const identity = ["GIT_AUTHOR", "GIT_COMMITTER"].flatMap((who) => [
    [`${who}_NAME`, "test"],
    [`${who}_EMAIL`, "test@example.com"],
  ]);
  const git: RealArgo["git"] = (folder, ...args) =>
    run("git", ["-C", folder, ...args], {
      HOME: server.folder,
      ...(Object.fromEntries(identity) as Record<string, string>),
    });
  const ask: RealArgo["ask"] = async (token, method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      redirect: "manual",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  mkdirSync(join(server.folder, "git", "shop"), { recursive: true });
  git(join(server.folder, "git", "shop"), "init", "-q", "-b", "main");
  const administrator = await administratorOf(server, kubectl);
  return {
    server,
    kubectl,
    git,
    ask,
    accountOf: async (stack, account) => {
      const principals = await emitPrincipals(stack);
      try {
        principals.apply("argo_cd", { PATH, KUBECONFIG, HOME: server.folder });
      } finally {
        principals.remove();
      }
      return await until(`a token of ${account}`, async () => {
        const made = await ask(administrator, "POST", `/api/v1/account/${account}/token`, { name: account });
        return made.status === 200 ? (JSON.parse(made.text) as { token: string }).token : undefined;
      });
    },
    stop: async () => {
      await server.stop();
      await cluster.stop();
    },
  };
}
