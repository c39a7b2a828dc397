import { factsOf } from "#hook";
import type { EmittedFile, Facts, FileSpec, Topology } from "#hook";
import type workloadHook from "../../hooks/workload.ts";
import type { WorkloadFacts } from "../../hooks/workload.ts";
import { configOf } from "./config.ts";
import type { Config } from "./config.ts";
import { USER, agentPod, serverPod } from "./pod.ts";
import type { Pod } from "./pod.ts";

const HERE = "templates/kubernetes";

/** What comes into the cluster, before any file shows it. */
export interface Deployed {
  readonly topology: Topology;
  readonly facts: Facts;
  readonly workload: WorkloadFacts;
  readonly config: Config;
  readonly server: Pod;
  /** The server, and the agent when the output has its files. */
  readonly pods: readonly Pod[];
  /** The pods that Deployments of this output make; mcp-runtime's operator makes the server's itself. */
  readonly own: readonly Pod[];
  readonly isOperated: boolean;
}

export function deployedOf(emitted: readonly EmittedFile[], topology: Topology, facts: Facts): Deployed {
  const workload = factsOf<typeof workloadHook>(facts, "workload");
  const config = configOf(facts);
  const parts = { topology, facts, emitted, config };
  const server = serverPod(parts);
  const hasAgent = emitted.some(({ path }) => path.startsWith(`${workload.agent.folder}/`));
  const agents = hasAgent ? [agentPod(parts)] : [];
  const isOperated = topology.server.delivery === "mcp-runtime";
  const own = isOperated ? agents : [server, ...agents];
  return { topology, facts, workload, config, server, pods: [server, ...agents], own, isOperated };
}

/** One file from a template; every template sees the names, the account and the pods. */
export function rendered(deployed: Deployed, path: string, template: string, view: object = {}): FileSpec {
  const head = { ...deployed.workload, user: USER, workloads: deployed.own };
  return { kind: "rendered", path, from: `${HERE}/${template}.hbs`, view: { ...head, ...view } };
}

/** `k8s/<name>.yaml` from the template of that name. */
export function manifest(deployed: Deployed, name: string, view?: object): FileSpec {
  return rendered(deployed, `k8s/${name}.yaml`, `${name}.yaml`, view);
}
