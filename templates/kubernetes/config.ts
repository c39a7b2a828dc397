import { hash } from "node:crypto";
import { factsOf } from "#hook";
import type { Facts } from "#hook";
import type routeHook from "../../hooks/route.ts";
import type variablesHook from "../../hooks/variables.ts";
import type { Setting } from "../../hooks/variables.ts";
import type workloadHook from "../../hooks/workload.ts";
import { checksum } from "./checksum.ts";

/**
 * The ConfigMap with the variables of the drawn links. Its name holds its content's digest: variables are read when a pod
 * starts, so a changed ConfigMap must be another one.
 */
export interface Config {
  readonly name: string;
  readonly settings: readonly Setting[];
  readonly checksum: string;
}

export function configOf(facts: Facts): Config {
  const { links } = factsOf<typeof variablesHook>(facts, "variables");
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  const digest = checksum(links.map(({ name, value }) => [name, hash("sha256", value, "hex")]));
  return { name: `${server.name}-config-${digest.slice(0, 10)}`, settings: links, checksum: digest };
}

/** What a client may call the server: the names of its Service, and the hosts of its routes. */
function allowedHosts(facts: Facts): readonly string[] {
  const { server, hosts } = factsOf<typeof workloadHook>(facts, "workload");
  const { name, namespace } = server;
  const routed = factsOf<typeof routeHook>(facts, "route").hosts;
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, hosts.server, ...routed];
}

/** A file that operators may provide while the server runs: without its object nothing is mounted. */
export interface OptionalFile {
  readonly name: string;
  readonly object: string;
  readonly isSecret: boolean;
  readonly folder: string;
}

const MOUNTED = "/etc/topogate";

/** The hashed keys of callers, and the kill switches: neither is this output's to make, so no rollout undoes them. */
export function optionalFiles(server: string): readonly OptionalFile[] {
  return [
    { name: "keys", object: `${server}-keys`, isSecret: true, folder: `${MOUNTED}/keys` },
    { name: "switches", object: `${server}-switches`, isSecret: false, folder: `${MOUNTED}/switches` },
  ];
}

/** What the server is told of its place in the cluster; on a workstation it has another. */
export function placeSettings(facts: Facts): readonly Setting[] {
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  const { origins } = factsOf<typeof routeHook>(facts, "route");
  return [
    { name: "MCP_ALLOWED_HOSTS", value: allowedHosts(facts).join(",") },
    ...(origins.length === 0 ? [] : [{ name: "MCP_ALLOWED_ORIGINS", value: origins.join(",") }]),
    { name: "MCP_BIND", value: "0.0.0.0" },
    { name: "MCP_KEYS_FILE", value: `${MOUNTED}/keys/keys.json` },
    { name: "MCP_PORT", value: String(server.port) },
    { name: "MCP_STATE_DIR", value: "/tmp" },
    { name: "MCP_SWITCHES_FILE", value: `${MOUNTED}/switches/switches` },
  ];
}
