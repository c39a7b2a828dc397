import { choice, defineComponent, integer, list, text } from "#contract";

/** Settings of the emitted server. The component is called `mcp`; it exists as soon as a link names it. */
export default defineComponent({
  type: "fastmcp",
  summary: "The MCP server that is generated from the links of mcp.",
  group: "ai",
  port: 8080,
  host: "{stack}-mcp.{namespace}.svc.{cluster_domain}",
  podLabels: { "app.kubernetes.io/name": "{stack}-mcp" },
  builtin: "mcp",
  attributes: {
    framework: choice({
      doc: "Library that speaks the protocol; the tools and their rules are the same on both.",
      values: ["sdk", "fastmcp"],
      default: "sdk",
    }),
    replicas: integer({
      doc: "Pods of the server; more than one need a state that they share.",
      min: 1,
      max: 100,
      default: 1,
    }),
    state: text({
      doc: "Component that holds approvals, rate limits and the audit head for all replicas.",
      componentOf: ["valkey", "redis"],
    }),
    image: text({
      doc: "Image with the server's libraries, with a tag other than latest, or a digest.",
      pattern:
        "^[a-z0-9][a-z0-9._/:-]{0,200}(:(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$",
    }),
    recipients: list({
      doc: "Public age keys that can open the sealed credentials.",
      pattern: "^age1[a-z0-9]{20,2000}$",
    }),
    gitops: choice({
      doc: "Controller that applies the output; decides how sealed secrets are opened in the cluster.",
      values: ["none", "flux", "argocd"],
      default: "none",
    }),
    delivery: choice({
      doc: "Plain Kubernetes objects, or resources of mcp-runtime beside them.",
      values: ["kubernetes", "mcp-runtime"],
      default: "kubernetes",
    }),
    rules: list({ doc: "Files with further rules for calls, relative to the stack file." }),
  },
  secrets: { api_key: { doc: "Bearer key that a client must send; the gateway checks the same one." } },
  mcp: "never",
});
