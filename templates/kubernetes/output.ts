import { defineOutput, factsOf } from "#hook";
import type { FileSpec, Topology } from "#hook";
import type rbacHook from "../../hooks/rbac.ts";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
import type workloadHook from "../../hooks/workload.ts";
import { accountFiles } from "./account.ts";
import { reportSizes } from "./code.ts";
import { configOf } from "./config.ts";
import { imageView } from "./image.ts";
import { reportFaults } from "./faults.ts";
import { runtimeView } from "./mcp-runtime.ts";
import { policiesOf } from "./network.ts";
import { USER, agentPod, serverPod } from "./pod.ts";
import { routeFiles } from "./routes.ts";
import { GENERATOR, SEALED, secretDelivery, storeViews } from "./secrets.ts";

const HERE = "templates/kubernetes";

function folderOf({ stack, environment }: Topology): string {
  return environment === null ? `out/${stack}` : `out/${stack}.${environment}`;
}

/**
 * The manifests follow from what the other outputs emitted: the code that is mounted, and whether there is an
 * agent. With mcp-runtime its operator makes the server's pods, Service, Ingress and policy.
 */
export default defineOutput({
  name: "kubernetes",
  files: (topology, _facts, { links }) => accountFiles(topology, links),
  summary: (emitted, topology, facts, _generation, report) => {
    const workload = factsOf<typeof workloadHook>(facts, "workload");
    const { roles } = factsOf<typeof rbacHook>(facts, "rbac");
    const { document } = factsOf<typeof runtimePolicyHook>(facts, "runtime-policy");
    const { replicas, delivery } = topology.server;
    const isOperated = delivery === "mcp-runtime";
    const config = configOf(facts);
    const parts = { topology, facts, emitted, config };
    const server = serverPod(parts);
    const hasAgent = emitted.some(({ path }) => path.startsWith(`${workload.agent.folder}/`));
    const agents = hasAgent ? [agentPod(parts)] : [];
    const workloads = isOperated ? agents : [server, ...agents];
    const code = workloads.flatMap((pod) => pod.code);
    const secret = secretDelivery(topology, facts);
    const stores = storeViews(facts);
    reportFaults(topology, facts, report);
    reportSizes(code, emitted, report);

    const head = { ...workload, user: USER, workloads };
    const rendered = (path: string, template: string, view: object = {}): FileSpec => ({
      kind: "rendered",
      path,
      from: `${HERE}/${template}.hbs`,
      view: { ...head, ...view },
    });
    const manifest = (name: string, view?: object): FileSpec =>
      rendered(`k8s/${name}.yaml`, `${name}.yaml`, view);
    const operated = isOperated ? runtimeView(topology, facts, server, config) : {};
    const policies = policiesOf(facts, [server, ...agents], workload.server);
    const settings = manifest("configmap", { config: config.name, settings: config.settings });
    const manifests = [
      ...(workload.ownsNamespace ? [manifest("namespace")] : []),
      ...(workloads.length > 0 ? [manifest("serviceaccount")] : []),
      ...(roles.length > 0 ? [manifest("rbac", { roles })] : []),
      ...(isOperated ? [] : [settings]),
      ...(stores.length > 0 ? [manifest("externalsecret", { stores })] : []),
      ...(workloads.length > 0 ? [manifest("deployment"), manifest("service")] : []),
      manifest("networkpolicy", { denyName: `${workload.stack}-default-deny`, policies }),
      ...(replicas > 1 ? [manifest("pdb")] : []),
      ...(isOperated ? [manifest("mcp-runtime/mcpserver", operated)] : routeFiles(facts)),
      ...(isOperated && document.grants !== undefined ? [manifest("mcp-runtime/access", operated)] : []),
    ];
    const folder = folderOf(topology);
    return [
      ...manifests,
      ...(isOperated
        ? [
            // The operator is told the same in another way; `topogate serve` still starts the server with it.
            settings,
            manifest("mcp-runtime/policy", operated),
            rendered(".mcp/servers.yaml", "mcp-runtime/servers.yaml", operated),
          ]
        : []),
      ...(secret.generators.length > 0
        ? [rendered(GENERATOR, "secret-generator.yaml", { sealedFile: `./${SEALED}` })]
        : []),
      rendered("server/Dockerfile", "Dockerfile", imageView(server, isOperated)),
      rendered("kustomization.yaml", "kustomization.yaml", {
        ...secret,
        code,
        folder,
        sealedPath: `${folder}/${SEALED}`,
        resources: [...manifests.map(({ path }) => path), ...secret.resources],
      }),
    ];
  },
});
