import { choice, defineComponent } from "#contract";

export default defineComponent({
  type: "ingress",
  summary: "An ingress controller that reads Ingress objects.",
  group: "gateway",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  gateway: true,
  attributes: {
    class: choice({
      doc: "Controller that reads the objects; decides their annotations.",
      values: ["traefik", "nginx", "istio", "generic"],
      default: "traefik",
    }),
  },
  mcp: "never",
});
