import { defineOutput, factsOf } from "#hook";
import type { FileSpec } from "#hook";
import type workloadHook from "../../hooks/workload.ts";
import { codeMaps, reportSizes } from "./code.ts";
import { configOf } from "./config.ts";
import { USER, serverPod } from "./pod.ts";

const HERE = "templates/kubernetes";

export default defineOutput({
  name: "kubernetes",
  files: () => [],
  summary: (emitted, topology, facts, _generation, report) => {
    const { stack, server } = factsOf<typeof workloadHook>(facts, "workload");
    const config = configOf(facts);
    const code = codeMaps(emitted, server);
    reportSizes(code, emitted, report);
    const workloads = [serverPod(topology, facts, server, emitted, config)];
    const head = { stack, server, user: USER, workloads };
    const manifest = (name: string, view: object = {}): FileSpec => ({
      kind: "rendered",
      path: `k8s/${name}.yaml`,
      from: `${HERE}/${name}.yaml.hbs`,
      view: { ...head, ...view },
    });
    const manifests = [
      manifest("namespace"),
      manifest("serviceaccount"),
      manifest("configmap", { config: config.name, settings: config.settings }),
      manifest("deployment"),
      manifest("service"),
      ...(topology.server.replicas > 1 ? [manifest("pdb")] : []),
    ];
    const folder =
      topology.environment === null ? topology.stack : `${topology.stack}.${topology.environment}`;
    return [
      ...manifests,
      {
        kind: "rendered",
        path: "kustomization.yaml",
        from: `${HERE}/kustomization.yaml.hbs`,
        view: { ...head, folder: `out/${folder}`, code, resources: manifests.map(({ path }) => path) },
      },
    ];
  },
});
