import { defineHook, kubernetesName } from "#hook";
import type { Topology } from "#hook";

/** One Deployment with its Service and account, all of one name. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  /** Label by which Services and network rules find its pods; its value is the name. */
  readonly podLabel: string;
  /** Label that tells it from the other one of the stack. */
  readonly component: "server" | "agent";
  readonly port: number;
  /** Of the container that clients reach, when that is not the workload's own. */
  readonly entryPort: number;
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
  /** Where the server answers clients; every other path is for the cluster. */
  readonly path: string;
  /** Of the server's metrics, where a link lets something read them. */
  readonly metricsPort: number;
  /** The Secret that the sealed credentials become. */
  readonly secret: string;
  /** Whether nothing else that is drawn stands in their namespace, so that it is this output's to make. */
  readonly ownsNamespace: boolean;
}

const SERVER_PORT = 8080;
const AGENT_PORT = 8090;
const METRICS_PORT = 9103;
const PATH = "/mcp";
const POD_LABEL = "app.kubernetes.io/name";
/** mcp-runtime's operator labels pods its own way, and puts its gateway into them in front of the server. */
const OPERATOR_LABEL = "app";
const OPERATOR_GATEWAY_PORT = 8091;

function namespaceOf({ components, stack }: Topology): string {
  return components.find(({ name }) => name === "mcp")?.namespace ?? kubernetesName(stack);
}

/** Names and places of what runs for the stack: its server, and its agent beside it. */
export default defineHook({
  name: "workload",
  derive: (topology): WorkloadFacts => {
    const stack = kubernetesName(topology.stack);
    const namespace = namespaceOf(topology);
    const isOperated = topology.server.delivery === "mcp-runtime";
    const server: Workload = {
      name: `${stack}-mcp`,
      namespace,
      component: "server",
      podLabel: isOperated ? OPERATOR_LABEL : POD_LABEL,
      port: SERVER_PORT,
      entryPort: isOperated ? OPERATOR_GATEWAY_PORT : SERVER_PORT,
      folder: "server",
    };
    const agent: Workload = {
      name: `${stack}-agent`,
      namespace,
      component: "agent",
      podLabel: POD_LABEL,
      port: AGENT_PORT,
      entryPort: AGENT_PORT,
      folder: "agent",
    };
    const hostOf = ({ name }: Workload): string => `${name}.${namespace}.svc.${topology.clusterDomain}`;
    return {
      stack,
      server,
      agent,
      hosts: { server: hostOf(server), agent: hostOf(agent) },
      path: PATH,
      metricsPort: METRICS_PORT,
      secret: `${server.name}-credentials`,
      ownsNamespace: topology.components.every(
        ({ builtin, external, namespace: other }) => builtin || external !== null || other !== namespace,
      ),
    };
  },
});
