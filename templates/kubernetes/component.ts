import { defineComponent, list } from "#contract";
import { commands } from "./commands.ts";

export default defineComponent({
  type: "kubernetes",
  summary: "The Kubernetes cluster that the stack runs in.",
  group: "platform",
  port: 443,
  host: "kubernetes.default.svc.{cluster_domain}",
  attributes: {
    namespaces: list({
      doc: "Namespaces that AI may look into.",
      pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    }),
  },
  mcp: "later",
  commands,
});
