import { defineOutput, factsOf } from "#hook";
import type { FileSpec } from "#hook";
import type rbacHook from "../../hooks/rbac.ts";
import type workloadHook from "../../hooks/workload.ts";
import { reportSizes } from "./code.ts";
import { configOf } from "./config.ts";
import { reportFaults } from "./faults.ts";
import { policiesOf } from "./network.ts";
import { USER, agentPod, serverPod } from "./pod.ts";
import { routeFiles } from "./routes.ts";
import { GENERATOR, SEALED, secretDelivery, storeViews } from "./secrets.ts";

const HERE = "templates/kubernetes";

/** The manifests follow from what the other outputs emitted: the code that is mounted, and whether there is an agent. */
export default defineOutput({
  name: "kubernetes",
  files: () => [],
  summary: (emitted, topology, facts, _generation, report) => {
    const workload = factsOf<typeof workloadHook>(facts, "workload");
    const { roles } = factsOf<typeof rbacHook>(facts, "rbac");
    const config = configOf(facts);
    const parts = { topology, facts, emitted, config };
    const hasAgent = emitted.some(({ path }) => path.startsWith(`${workload.agent.folder}/`));
    const workloads = hasAgent ? [serverPod(parts), agentPod(parts)] : [serverPod(parts)];
    const code = workloads.flatMap((pod) => pod.code);
    const delivery = secretDelivery(topology, facts);
    const stores = storeViews(facts);
    reportFaults(topology, facts, report);
    reportSizes(code, emitted, report);

    const head = { ...workload, user: USER, workloads };
    const rendered = (path: string, template: string, view: object): FileSpec => ({
      kind: "rendered",
      path,
      from: `${HERE}/${template}`,
      view: { ...head, ...view },
    });
    const manifest = (name: string, view: object = {}): FileSpec =>
      rendered(`k8s/${name}.yaml`, `${name}.yaml.hbs`, view);
    const policies = policiesOf(facts, workloads, workload.server);
    const manifests = [
      ...(workload.ownsNamespace ? [manifest("namespace")] : []),
      manifest("serviceaccount"),
      ...(roles.length > 0 ? [manifest("rbac", { roles })] : []),
      manifest("configmap", { config: config.name, settings: config.settings }),
      ...(stores.length > 0 ? [manifest("externalsecret", { stores })] : []),
      manifest("deployment"),
      manifest("service"),
      manifest("networkpolicy", { denyName: `${workload.stack}-default-deny`, policies }),
      ...(topology.server.replicas > 1 ? [manifest("pdb")] : []),
      ...routeFiles(facts),
    ];
    const folder =
      topology.environment === null ? topology.stack : `${topology.stack}.${topology.environment}`;
    return [
      ...manifests,
      ...(delivery.generators.length > 0
        ? [rendered(GENERATOR, "secret-generator.yaml.hbs", { sealedFile: `./${SEALED}` })]
        : []),
      rendered("kustomization.yaml", "kustomization.yaml.hbs", {
        ...delivery,
        code,
        folder: `out/${folder}`,
        sealedPath: `out/${folder}/${SEALED}`,
        resources: [...manifests.map(({ path }) => path), ...delivery.resources],
      }),
    ];
  },
});
