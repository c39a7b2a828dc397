import { defineComponent } from "#contract";

export default defineComponent({
  type: "vault",
  summary: "HashiCorp Vault or OpenBao: keeps secrets.",
  group: "identity",
  port: 8200,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {},
  secrets: { token: { doc: "Token of its clients." } },
  mcp: "never",
});
