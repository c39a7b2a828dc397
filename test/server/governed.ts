import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { revisionOf } from "#runtime/policy/document";
import type { PolicyDocument } from "#runtime/policy/document";
import { bootServer, newKey, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { ask, connectAs } from "./boot.ts";
import type { HttpAnswer, Json, TestClient } from "./boot.ts";

const clock = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);

const STACK = `apiVersion: topology/v1
stack: governed
components:
  grafana:
  valkey:
  mcp: {rules: [rules/rules.yaml]}
links:
  mcp: {stack_agent: read, valkey: write, grafana: {access: propose, approvers: ["group:sre"]}}
`;

const RULES = `apiVersion: governance/v1
kind: RuleSet
metadata: {name: constitution, layer: constitution, version: 1.0.0}
rules:
- {id: nobody, effect: deny, match: {tools: [grafana_list_folders]}, reason: Nobody needs this}
- {id: admins, effect: deny, match: {tools: [valkey_set]}, when: 'args.key.startsWith("admin:")', reason: Keys of administrators}
- {id: record, effect: require_change_ref, match: {tools: [valkey_set]}, when: 'args.key.startsWith("chg:")', reason: A change record}
- {id: later, effect: change_window, match: {tools: [valkey_set]}, when: 'args.key.startsWith("late:")', window: {from: "${clock(2)}", to: "${clock(3)}"}, reason: Changes later}
- {id: by-git, effect: route, route: gitops, match: {tools: [valkey_set]}, when: 'args.key == "config"', reason: Configuration is in git}
- {id: late-notes, effect: deny, match: {tools: [grafana_create_annotation]}, when: 'args.text == "forbidden"', reason: Not this one}
`;

const ROLES = {
  agent: "operator",
  ada: "admin",
  ben: "admin",
  eve: "admin",
  audit: "auditor",
  gateway: "operator",
} as const;
export type Who = keyof typeof ROLES;
const EVERYBODY = Object.keys(ROLES) as Who[];
const TEAMS: Readonly<Record<string, string>> = { ada: "sre", ben: "sre", eve: "sales" };

/** What stands where Grafana would: it keeps annotations, and answers for a dashboard as its uid says. */
export interface Upstream {
  readonly url: string;
  readonly annotations: Json[];
  close(): void;
}

async function startUpstream(): Promise<Upstream> {
  const annotations: Json[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      if (request.method === "POST") {
        annotations.push(JSON.parse(text) as Json);
        return void response.end(JSON.stringify({ id: annotations.length }));
      }
      const uid = request.url?.split("/").at(-1) ?? "";
      if (uid === "hang") return;
      if (uid === "large") return void response.end(Buffer.alloc(9 * 1024 * 1024, " "));
      response.writeHead(uid === "slow" ? 504 : 404).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    annotations,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A running server of the stack, and everybody who may have something to do with it. */
export interface Governed {
  readonly port: number;
  readonly process: BootedServer;
  readonly auditFile: string;
  /** Takes `MCP_GATEWAY_ENABLED=false` and the like from now on. */
  readonly switchesFile: string;
  as(who: Who, headers?: Readonly<Record<string, string>>): TestClient;
  api(who: Who, path: string, body?: Json): Promise<HttpAnswer>;
  /** All rows of the audit, once those of what was answered are written. */
  rows(): Promise<readonly Json[]>;
  lastRow(): Promise<Json>;
}

/** A stack that is drawn and generated once, and started as a process of its own as often as a test needs it. */
export interface Stage {
  /** What was generated. */
  readonly folder: string;
  /** Room for files of a test. */
  path(...segments: string[]): string;
  readonly upstream: Upstream;
  keyOf(who: Who): string;
  /** Only these are in the table of keys from now on. */
  setKeys(names?: readonly Who[]): void;
  /** Changes the policy that was generated; nothing puts that one back. */
  setPolicy(change?: Partial<PolicyDocument>): void;
  /** With an audit and proposals of its own, unless the environment says where they are. */
  start(environment?: Readonly<Record<string, string>>): Promise<Governed>;
  run<T>(environment: Readonly<Record<string, string>>, work: (on: Governed) => Promise<T>): Promise<T>;
  remove(): void;
}

export async function openStage(): Promise<Stage> {
  const work = workspace();
  work.draw("governed", STACK);
  mkdirSync(work.path("stacks/rules"));
  writeFileSync(work.path("stacks/rules/rules.yaml"), RULES);
  work.generate();
  const folder = work.path("out/governed");
  const policyFile = join(folder, "governance/policy.json");
  const drawn = JSON.parse(readFileSync(policyFile, "utf8")) as PolicyDocument;
  const upstream = await startUpstream();
  const keys: Readonly<Record<string, string>> = Object.fromEntries(EVERYBODY.map((who) => [who, newKey()]));
  const keyOf = (who: Who): string => keys[who] ?? "";
  const keysFile = work.path("keys.json");
  let runs = 0;
  const replace = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const setKeys = (names: readonly Who[] = EVERYBODY): void => {
    const rows = names.map((who) => ({
      id: who,
      sha256: createHash("sha256").update(keyOf(who)).digest("hex"),
      role: ROLES[who],
      delegate: who === "gateway",
      ...(TEAMS[who] === undefined ? {} : { human_id: who, team_id: TEAMS[who] }),
    }));
    replace(keysFile, JSON.stringify(rows));
  };
  setKeys();

  const governed = (process: BootedServer, auditFile: string, switchesFile: string): Governed => {
    const port = Number(process.url.port);
    const rows = async (): Promise<readonly Json[]> => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return rowsOf(auditFile);
    };
    return {
      port,
      process,
      auditFile,
      switchesFile,
      as: (who, headers) => connectAs(port, keyOf(who), headers),
      api: async (who, path, body) =>
        await ask(port, {
          method: body === undefined ? "GET" : "POST",
          path: `/api/mcp/${path}`,
          headers: { authorization: `Bearer ${keyOf(who)}`, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      rows,
      lastRow: async () => ({ ...(await rows()).at(-1) }),
    };
  };
  const start: Stage["start"] = async (environment = {}) => {
    runs += 1;
    const own = work.path(`run-${runs}`);
    mkdirSync(own);
    const switchesFile = join(own, "switches");
    const whole = {
      MCP_AUDIT_FILE: join(own, "audit.jsonl"),
      MCP_KEYS_FILE: keysFile,
      MCP_STATE_DIR: own,
      MCP_SWITCHES_FILE: switchesFile,
      MCP_GRAFANA_URL: upstream.url,
      MCP_GRAFANA_WRITE_ACCESS: "true",
      MCP_VALKEY_WRITE_ACCESS: "true",
      MCP_VALKEY_HOST: "127.0.0.1",
      MCP_VALKEY_PORT: "1",
      ...environment,
    };
    return governed(await bootServer(folder, whole), whole.MCP_AUDIT_FILE, switchesFile);
  };
  return {
    folder,
    path: work.path,
    upstream,
    keyOf,
    setKeys,
    setPolicy: (change = {}) => {
      const next = { ...drawn, ...change, revision: "" };
      replace(policyFile, JSON.stringify({ ...next, revision: revisionOf(next) }));
    },
    start,
    run: async (environment, use) => {
      const running = await start(environment);
      try {
        return await use(running);
      } finally {
        await running.process.stop();
      }
    },
    remove: () => {
      upstream.close();
      work.remove();
    },
  };
}

/** The rows about requests. */
export function rowsOf(auditFile: string): readonly Json[] {
  return readFileSync(auditFile, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { event_type: string; payload: Json })
    .filter(({ event_type: event }) => event === "mcp.request")
    .map(({ payload }) => payload);
}

export interface SaidFault {
  readonly code: string;
  readonly proposal_id: string;
  readonly argsSha: string;
}
/** The fault that a call answered. */
export function faultOf(result: Json): SaidFault {
  const [{ text } = { text: "{}" }] = (result["content"] ?? []) as readonly { text: string }[];
  return JSON.parse(text) as SaidFault;
}

export function note(text: string): Json {
  return { text, tags: ["deploy"], time: "2026-01-31T12:00:00Z", reason: "a test of the governance" };
}
export function valkeySet(key: string): Json {
  return { key, value: "v", persist: true, reason: "a test of the governance" };
}
