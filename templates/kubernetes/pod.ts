import { factsOf } from "#hook";
import type { EmittedFile, Facts, Topology } from "#hook";
import type rbacHook from "../../hooks/rbac.ts";
import type variablesHook from "../../hooks/variables.ts";
import type { SecretVariable, Setting } from "../../hooks/variables.ts";
import type { Workload } from "../../hooks/workload.ts";
import { codeMaps } from "./code.ts";
import type { CodeMap } from "./code.ts";
import { checksumOf } from "./checksum.ts";
import type { Config } from "./config.ts";

interface Quantity {
  readonly name: string;
  readonly value: string;
}

/** What `deployment.yaml.hbs` shows of one workload. */
export interface Pod extends Workload {
  readonly replicas: number;
  readonly isSpread: boolean;
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
  readonly checksums: readonly Quantity[];
  readonly requests: readonly Quantity[];
  readonly limits: readonly Quantity[];
  readonly code: readonly CodeMap[];
}

/** Not in use by any image's own accounts, and above all that a host is likely to have. */
export const USER = 10_001;
/** Above what the server takes to let its calls end. */
const GRACE_SECONDS = 30;

const REQUESTS = { cpu: "50m", "ephemeral-storage": "64Mi", memory: "128Mi" };
const LIMITS = { cpu: "1", "ephemeral-storage": "256Mi", memory: "512Mi" };

function quantities(
  fallback: Readonly<Record<string, string>>,
  written: Readonly<Record<string, string>> | undefined,
): readonly Quantity[] {
  return Object.entries({ ...fallback, ...written })
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The image holds the libraries alone, so its tag is the digest of the lock file that they come from. */
function imageOf(topology: Topology, workload: Workload, emitted: readonly EmittedFile[]): string {
  if (topology.server.image !== null) return topology.server.image;
  const lock = emitted.find(({ path }) => path === "server/package-lock.json");
  return `${workload.name}:${(lock?.digest ?? "").slice(0, 12)}`;
}

export function serverPod(
  topology: Topology,
  facts: Facts,
  server: Workload,
  emitted: readonly EmittedFile[],
  config: Config,
): Pod {
  const { secrets } = factsOf<typeof variablesHook>(facts, "variables");
  const { roles } = factsOf<typeof rbacHook>(facts, "rbac");
  const { replicas, resources } = topology.server;
  const code = codeMaps(emitted, server);
  const mounted = new Set(code.flatMap(({ files }) => files.map(({ file }) => file)));
  return {
    ...server,
    replicas,
    isSpread: replicas > 1,
    hasToken: roles.length > 0,
    graceSeconds: GRACE_SECONDS,
    image: imageOf(topology, server, emitted),
    directory: `/app/${server.folder}`,
    command: ["node", "start.mjs"],
    ports: [{ name: "http", port: server.port }],
    configs: [config.name],
    settings: [],
    secrets,
    checksums: [
      { name: "checksum/code", value: checksumOf(emitted, (path) => mounted.has(path)) },
      { name: "checksum/config", value: config.checksum },
    ],
    requests: quantities(REQUESTS, resources?.["requests"]),
    limits: quantities(LIMITS, resources?.["limits"]),
    code,
  };
}
