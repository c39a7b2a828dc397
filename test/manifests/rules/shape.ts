/** Versions and fields. The schemas themselves are asked where a real API server answers. */
import { at, entries, isBlock, kindOf } from "../object.ts";
import type { Block, Manifest } from "../object.ts";
import { complaints } from "../rule.ts";
import type { Rule } from "../rule.ts";

/** Every kind that is emitted: its version, and the fields of its spec. */
const KINDS: Readonly<Record<string, { readonly version: string; readonly spec: readonly string[] }>> = {
  Namespace: { version: "v1", spec: [] },
  ServiceAccount: { version: "v1", spec: [] },
  ConfigMap: { version: "v1", spec: [] },
  Secret: { version: "v1", spec: [] },
  Service: { version: "v1", spec: ["type", "selector", "ports"] },
  Deployment: {
    version: "apps/v1",
    spec: ["replicas", "revisionHistoryLimit", "selector", "strategy", "template"],
  },
  PodDisruptionBudget: {
    version: "policy/v1",
    spec: ["maxUnavailable", "unhealthyPodEvictionPolicy", "selector"],
  },
  NetworkPolicy: {
    version: "networking.k8s.io/v1",
    spec: ["podSelector", "policyTypes", "ingress", "egress"],
  },
  Ingress: { version: "networking.k8s.io/v1", spec: ["ingressClassName", "tls", "rules"] },
  Role: { version: "rbac.authorization.k8s.io/v1", spec: [] },
  RoleBinding: { version: "rbac.authorization.k8s.io/v1", spec: [] },
  HTTPRoute: { version: "gateway.networking.k8s.io/v1", spec: ["parentRefs", "hostnames", "rules"] },
  ApisixRoute: { version: "apisix.apache.org/v2", spec: ["ingressClassName", "http"] },
  ApisixTls: { version: "apisix.apache.org/v2", spec: ["ingressClassName", "hosts", "secret"] },
  ApisixConsumer: { version: "apisix.apache.org/v2", spec: ["ingressClassName", "authParameter"] },
  PluginConfig: { version: "apisix.apache.org/v1alpha1", spec: ["plugins"] },
  Consumer: { version: "apisix.apache.org/v1alpha1", spec: ["gatewayRef", "credentials"] },
  Middleware: { version: "traefik.io/v1alpha1", spec: ["replacePath", "rateLimit", "headers"] },
  ExternalSecret: {
    version: "external-secrets.io/v1",
    spec: ["refreshInterval", "secretStoreRef", "target", "data"],
  },
  ksops: { version: "viaduct.ai/v1", spec: [] },
  Kustomization: { version: "kustomize.config.k8s.io/v1beta1", spec: [] },
  MCPServer: {
    version: "mcpruntime.org/v1alpha1",
    spec: (
      "description image replicas port servicePort ingressClass ingressHost publicPathPrefix ingressAnnotations gateway " +
      "analytics auth policy session rollout resources envVars secretEnvVars tools"
    ).split(" "),
  },
  MCPAccessGrant: {
    version: "mcpruntime.org/v1alpha1",
    spec: ["serverRef", "subject", "maxTrust", "allowedSideEffects", "policyVersion", "toolRules"],
  },
  MCPAgentSession: {
    version: "mcpruntime.org/v1alpha1",
    spec: ["serverRef", "subject", "consentedTrust", "expiresAt", "policyVersion"],
  },
};

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.some(isEmpty);
  return isBlock(value) && Object.values(value).some(isEmpty);
}

export const shapeRules: readonly Rule[] = [
  {
    id: "H25",
    title: "speaks the stable version of every interface",
    check: (manifests) =>
      complaints(
        manifests,
        (manifest) => KINDS[kindOf(manifest)]?.version === manifest.object["apiVersion"],
        (manifest) => `${manifest.file}: ${String(manifest.object["apiVersion"])} ${kindOf(manifest)}`,
      ),
    breaks: {
      beta: (manifests) => manifests.forEach(({ object }) => (object["apiVersion"] = "extensions/v1beta1")),
    },
  },
  {
    id: "H28",
    title: "has no field that its kind does not know, and none without a value",
    check: (manifests) =>
      complaints(
        manifests,
        (manifest) => {
          const known = KINDS[kindOf(manifest)]?.spec ?? [];
          const spec = entries(at(manifest.object, "spec")).map(([name]) => name);
          return spec.every((name) => known.includes(name)) && !isEmpty(manifest.object);
        },
        (manifest: Manifest) => `${manifest.file}: ${kindOf(manifest)}`,
      ),
    breaks: {
      "an unknown field": (manifests) =>
        manifests.forEach(
          ({ object }) => isBlock(object["spec"]) && ((object["spec"] as Block)["replica"] = 1),
        ),
      nothing: (manifests) =>
        manifests.forEach(({ object }) => ((object["metadata"] as Block)["labels"] = null)),
    },
  },
];
