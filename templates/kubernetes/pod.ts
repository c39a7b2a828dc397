import { factsOf } from "#hook";
import type { EmittedFile, Facts, Topology } from "#hook";
import type credentialsHook from "../../hooks/credentials.ts";
import type rbacHook from "../../hooks/rbac.ts";
import type serverLinksHook from "../../hooks/server-links.ts";
import type variablesHook from "../../hooks/variables.ts";
import type { SecretVariable, Setting } from "../../hooks/variables.ts";
import type workloadHook from "../../hooks/workload.ts";
import type { Workload } from "../../hooks/workload.ts";
import { codeMaps, isPolicyFile } from "./code.ts";
import type { CodeMap } from "./code.ts";
import { checksumOf } from "./checksum.ts";
import { optionalFiles, placeSettings } from "./config.ts";
import type { Config, OptionalFile } from "./config.ts";
import { COMMAND, directoryOf } from "./image.ts";

interface Named {
  readonly name: string;
  readonly value: string;
}

/** What the manifests show of one workload. */
export interface Pod extends Workload {
  readonly replicas: number;
  readonly isSpread: boolean;
  /** Whether it may speak to the Kubernetes API. */
  readonly hasToken: boolean;
  readonly graceSeconds: number;
  readonly image: string;
  /** Where the code is mounted; `node_modules` stands one level above. */
  readonly directory: string;
  readonly command: readonly string[];
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  /** Names of the ConfigMaps that are read as variables. */
  readonly configs: readonly string[];
  readonly settings: readonly Setting[];
  readonly secrets: readonly SecretVariable[];
  readonly files: readonly OptionalFile[];
  /** Annotations that change when and only when what the pod is made of does. */
  readonly checksums: readonly Named[];
  readonly requests: readonly Named[];
  readonly limits: readonly Named[];
  readonly code: readonly CodeMap[];
}

/** What all of one output's pods are made from. */
export interface PodParts {
  readonly topology: Topology;
  readonly facts: Facts;
  readonly emitted: readonly EmittedFile[];
  readonly config: Config;
}

/** Above every account that images and hosts come with. */
export const USER = 10_001;

/** More than a workload takes to let its calls end. */
const GRACE_SECONDS = 30;
const REQUESTS = { cpu: "50m", "ephemeral-storage": "64Mi", memory: "128Mi" };
const LIMITS = { cpu: "1", "ephemeral-storage": "256Mi", memory: "512Mi" };

function quantities(
  usual: Readonly<Record<string, string>>,
  written: Readonly<Record<string, string>> = {},
): readonly Named[] {
  return Object.entries({ ...usual, ...written })
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function mountedFiles(code: readonly CodeMap[]): ReadonlySet<string> {
  return new Set(code.flatMap(({ files }) => files.map(({ file }) => file)));
}

/**
 * Without a drawn one, an image of the server's name. It holds libraries and programs, so its tag is the digest of
 * the lock file and the Dockerfile that they come from; where it holds the code too, that of lock file and code.
 */
function imageOf({ topology, facts, emitted }: PodParts): string {
  if (topology.server.image !== null) return topology.server.image;
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  const holdsCode = topology.server.delivery === "mcp-runtime";
  const held = holdsCode ? [...mountedFiles(codeMaps(emitted, server))] : [];
  const beside = ["package-lock.json", holdsCode ? "policy.json" : "Dockerfile"];
  const made = new Set([
    ...held.filter((file) => !isPolicyFile(file)),
    ...beside.map((file) => `${server.folder}/${file}`),
  ]);
  return `${server.name}:${checksumOf(emitted, (path) => made.has(path)).slice(0, 12)}`;
}

/** One annotation for what runs, one for what it may do where there is such a policy. */
function checksumsOf(emitted: readonly EmittedFile[], mounted: ReadonlySet<string>): readonly Named[] {
  const named = (name: string, isPart: (path: string) => boolean): readonly Named[] =>
    [...mounted].some(isPart)
      ? [{ name, value: checksumOf(emitted, (path) => mounted.has(path) && isPart(path)) }]
      : [];
  return [
    ...named("checksum/code", (path) => !isPolicyFile(path)),
    ...named("checksum/policy", isPolicyFile),
  ];
}

function commonOf(workload: Workload, parts: PodParts): Omit<Pod, "replicas" | "isSpread" | "hasToken"> {
  const code = codeMaps(parts.emitted, workload);
  return {
    ...workload,
    graceSeconds: GRACE_SECONDS,
    image: imageOf(parts),
    directory: directoryOf(workload),
    command: COMMAND,
    ports: [{ name: "http", port: workload.port }],
    configs: [],
    settings: [],
    secrets: [],
    files: [],
    checksums: checksumsOf(parts.emitted, mountedFiles(code)),
    requests: quantities(REQUESTS),
    limits: quantities(LIMITS),
    code,
  };
}

export function serverPod(parts: PodParts): Pod {
  const { topology, facts, config } = parts;
  const { server, metricsPort } = factsOf<typeof workloadHook>(facts, "workload");
  const { scrapers } = factsOf<typeof serverLinksHook>(facts, "server-links");
  const { replicas, resources } = topology.server;
  const common = commonOf(server, parts);
  return {
    ...common,
    replicas,
    isSpread: replicas > 1,
    hasToken: factsOf<typeof rbacHook>(facts, "rbac").roles.length > 0,
    ports: [...common.ports, ...(scrapers.length > 0 ? [{ name: "metrics", port: metricsPort }] : [])],
    configs: [config.name],
    settings: [
      ...placeSettings(facts),
      ...(scrapers.length > 0 ? [{ name: "MCP_METRICS_PORT", value: String(metricsPort) }] : []),
    ],
    secrets: factsOf<typeof variablesHook>(facts, "variables").secrets,
    files: optionalFiles(server.name),
    checksums: [...common.checksums, { name: "checksum/config", value: config.checksum }],
    requests: quantities(REQUESTS, resources?.["requests"]),
    limits: quantities(LIMITS, resources?.["limits"]),
  };
}

/** The agent as a service of its own. Its tests use what is linked, so it holds the same but the server's own keys. */
export function agentPod(parts: PodParts): Pod {
  const { facts, config } = parts;
  const { agent } = factsOf<typeof workloadHook>(facts, "workload");
  const { secrets } = factsOf<typeof variablesHook>(facts, "variables");
  const own = new Set(factsOf<typeof credentialsHook>(facts, "credentials").own.map(({ name }) => name));
  const common = commonOf(agent, parts);
  return {
    ...common,
    replicas: 1,
    isSpread: false,
    hasToken: false,
    settings: [
      { name: "AGENT_BIND", value: "0.0.0.0" },
      { name: "AGENT_PORT", value: String(agent.port) },
    ],
    configs: [config.name],
    secrets: secrets.filter(({ name }) => !own.has(name)),
    checksums: [...common.checksums, { name: "checksum/config", value: config.checksum }],
  };
}
