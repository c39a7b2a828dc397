import { defineHook, kubernetesName } from "#hook";
import type { Topology } from "#hook";

/** One Deployment with its Service and account, all of one name. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  /** Label that tells it from the other one of the stack. */
  readonly component: "server" | "agent";
  readonly port: number;
  /** Folder of the output that holds its code, and where the code is mounted below `/app`. */
  readonly folder: "server" | "agent";
}

export interface WorkloadFacts {
  /** The stack's name as Kubernetes writes it. */
  readonly stack: string;
  readonly server: Workload;
  readonly agent: Workload;
  /** Host name of a workload's Service within the cluster. */
  readonly hosts: Readonly<Record<Workload["component"], string>>;
  /** The Secret that the sealed credentials become. */
  readonly secret: string;
  /** Whether nothing else that is drawn stands in their namespace, so that it is this output's to make. */
  readonly ownsNamespace: boolean;
}

const SERVER_PORT = 8080;
const AGENT_PORT = 8090;

function namespaceOf({ components, stack }: Topology): string {
  return components.find(({ name }) => name === "mcp")?.namespace ?? kubernetesName(stack);
}

/** Names and places of what runs for the stack: its server, and its agent beside it. */
export default defineHook({
  name: "workload",
  derive: (topology): WorkloadFacts => {
    const stack = kubernetesName(topology.stack);
    const namespace = namespaceOf(topology);
    const server: Workload = {
      name: `${stack}-mcp`,
      namespace,
      component: "server",
      port: SERVER_PORT,
      folder: "server",
    };
    const agent: Workload = {
      name: `${stack}-agent`,
      namespace,
      component: "agent",
      port: AGENT_PORT,
      folder: "agent",
    };
    const hostOf = ({ name }: Workload): string => `${name}.${namespace}.svc.${topology.clusterDomain}`;
    return {
      stack,
      server,
      agent,
      hosts: { server: hostOf(server), agent: hostOf(agent) },
      secret: `${server.name}-credentials`,
      ownsNamespace: topology.components.every(
        ({ builtin, external, namespace: other }) => builtin || external !== null || other !== namespace,
      ),
    };
  },
});
