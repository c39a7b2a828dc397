import { defineOutput, factsOf } from "#hook";
import type { Facts, FileSpec, Topology } from "#hook";
import type rbacHook from "../../hooks/rbac.ts";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
import type workloadHook from "../../hooks/workload.ts";
import { accountFiles } from "./account.ts";
import { reportSizes } from "./code.ts";
import type { CodeMap } from "./code.ts";
import { deployedOf, manifest, rendered } from "./deployed.ts";
import type { Deployed } from "./deployed.ts";
import { reportFaults } from "./faults.ts";
import { imageView } from "./image.ts";
import { USER } from "./pod.ts";
import { runtimeView } from "./mcp-runtime.ts";
import { policiesOf } from "./network.ts";
import { routeFiles } from "./routes.ts";
import { GENERATOR, SEALED, secretDelivery, storeViews } from "./secrets.ts";

function folderOf({ stack, environment }: Topology): string {
  return environment === null ? `out/${stack}` : `out/${stack}.${environment}`;
}

/** What the pods read as variables. `topogate serve` starts the server with it, whoever runs the pods. */
function settingsFile(deployed: Deployed): FileSpec {
  const { config } = deployed;
  return manifest(deployed, "configmap", { config: config.name, settings: config.settings });
}

/** The way in: routes of our own, or what mcp-runtime's operator makes one from, with who may come. */
function ways(deployed: Deployed, operated: object): readonly FileSpec[] {
  const { facts, isOperated } = deployed;
  if (!isOperated) return routeFiles(facts);
  const { document } = factsOf<typeof runtimePolicyHook>(facts, "runtime-policy");
  const access = document.grants === undefined ? [] : [manifest(deployed, "mcp-runtime/access", operated)];
  return [manifest(deployed, "mcp-runtime/mcpserver", operated), ...access];
}

/** What the kustomization applies, in an order in which it can be applied. */
function resources(deployed: Deployed, operated: object): readonly FileSpec[] {
  const { topology, facts, workload, pods, own } = deployed;
  const { roles } = factsOf<typeof rbacHook>(facts, "rbac");
  const stores = storeViews(facts);
  const policies = policiesOf(facts, pods, workload.server);
  const denyName = `${workload.stack}-default-deny`;
  return [
    ...(workload.ownsNamespace ? [manifest(deployed, "namespace")] : []),
    ...(own.length > 0 ? [manifest(deployed, "serviceaccount")] : []),
    ...(roles.length > 0 ? [manifest(deployed, "rbac", { roles })] : []),
    ...(own.length > 0 ? [settingsFile(deployed)] : []),
    ...(stores.length > 0 ? [manifest(deployed, "externalsecret", { stores })] : []),
    ...(own.length > 0 ? [manifest(deployed, "deployment"), manifest(deployed, "service")] : []),
    manifest(deployed, "networkpolicy", { denyName, policies }),
    ...(topology.server.replicas > 1 ? [manifest(deployed, "pdb")] : []),
    ...ways(deployed, operated),
  ];
}

function dockerfile(facts: Facts, code: readonly CodeMap[] | null): FileSpec {
  const { server } = factsOf<typeof workloadHook>(facts, "workload");
  return {
    kind: "rendered",
    path: "server/Dockerfile",
    from: "templates/kubernetes/Dockerfile.hbs",
    view: { ...imageView(server, facts, code), user: USER },
  };
}

/** What stands beside the manifests, for people and other programs. */
function companions(deployed: Deployed, operated: object): readonly FileSpec[] {
  const { facts, isOperated, own, server } = deployed;
  if (!isOperated) return [];
  return [
    dockerfile(facts, server.code),
    ...(own.length > 0 ? [] : [settingsFile(deployed)]),
    manifest(deployed, "mcp-runtime/policy", operated),
    rendered(deployed, ".mcp/servers.yaml", "mcp-runtime/servers.yaml", operated),
  ];
}

function kustomization(deployed: Deployed, applied: readonly FileSpec[]): readonly FileSpec[] {
  const { topology, facts, own } = deployed;
  const folder = folderOf(topology);
  const secret = secretDelivery(topology, facts, own.length > 0);
  const view = {
    ...secret,
    folder,
    code: own.flatMap(({ code }) => code),
    sealedPath: `${folder}/${SEALED}`,
    resources: [...applied.map(({ path }) => path), ...secret.resources],
  };
  const generator = rendered(deployed, GENERATOR, "secret-generator.yaml", { sealedFile: `./${SEALED}` });
  return [
    ...(secret.generators.length > 0 ? [generator] : []),
    rendered(deployed, "kustomization.yaml", "kustomization.yaml", view),
  ];
}

/**
 * The manifests follow from what the other outputs emitted: the code that is mounted, and whether there is an
 * agent.
 */
export default defineOutput({
  name: "kubernetes",
  // An image without code is told by its Dockerfile, so that is there before the manifests.
  files: (topology, facts, { links }) => [
    ...accountFiles(topology, links),
    ...(topology.server.delivery === "mcp-runtime" ? [] : [dockerfile(facts, null)]),
  ],
  summary: (emitted, topology, facts, _generation, report) => {
    const deployed = deployedOf(emitted, topology, facts);
    reportFaults(topology, facts, report);
    reportSizes(
      deployed.own.flatMap(({ code }) => code),
      emitted,
      report,
    );
    const operated = deployed.isOperated ? runtimeView(deployed) : {};
    const applied = resources(deployed, operated);
    return [...applied, ...companions(deployed, operated), ...kustomization(deployed, applied)];
  },
});
