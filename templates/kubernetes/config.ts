import { hash } from "node:crypto";
import { factsOf } from "#hook";
import type { Facts } from "#hook";
import type variablesHook from "../../hooks/variables.ts";
import type { Setting } from "../../hooks/variables.ts";
import type workloadHook from "../../hooks/workload.ts";
import { checksum } from "./checksum.ts";

/** The ConfigMap of the server's variables; its name holds its content's digest, so that pods never read a changed one. */
export interface Config {
  readonly name: string;
  readonly settings: readonly Setting[];
  readonly checksum: string;
}

/** Names under which clients within the cluster may speak to the server, the shortest first. */
function serviceHosts(name: string, namespace: string, host: string): readonly string[] {
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, host];
}

export function configOf(facts: Facts): Config {
  const { links } = factsOf<typeof variablesHook>(facts, "variables");
  const { server, hosts } = factsOf<typeof workloadHook>(facts, "workload");
  const allowed = serviceHosts(server.name, server.namespace, hosts.server);
  const own: readonly Setting[] = [
    { name: "MCP_ALLOWED_HOSTS", value: allowed.join(",") },
    { name: "MCP_BIND", value: "0.0.0.0" },
    { name: "MCP_PORT", value: String(server.port) },
  ];
  const settings = [...own, ...links].sort((a, b) => (a.name < b.name ? -1 : 1));
  const digest = checksum(settings.map(({ name, value }) => [name, hash("sha256", value, "hex")]));
  return { name: `${server.name}-config-${digest.slice(0, 10)}`, settings, checksum: digest };
}
