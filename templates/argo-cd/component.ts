import { defineComponent, httpCommands, text } from "#contract";

export default defineComponent({
  type: "argo_cd",
  summary: "Argo CD: applies what stands in Git.",
  group: "delivery",
  port: 80,
  host: "{name}-server.{namespace}.svc.{cluster_domain}",
  subComponents: {
    applications: {
      kind: "application",
      doc: "Applications that AI may see.",
      attributes: { project: text({ doc: "Project of the application.", default: "default" }) },
    },
  },
  attributes: {},
  secrets: { api_token: { doc: "Token of an account." } },
  mcp: "later",
  commands: httpCommands({
    paths: "^/(healthz|api/version)?$",
    checks: ["curl -skf http://{host}:{port}/healthz"],
  }),
});
