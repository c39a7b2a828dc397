import { defineComponent, httpCommands, text } from "#contract";

export default defineComponent({
  type: "keycloak",
  summary: "Keycloak: logs people and services in.",
  group: "identity",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  subComponents: {
    realms: { kind: "realm", doc: "Spaces of users and clients.", attributes: {} },
    clients: {
      kind: "client",
      doc: "Applications that log users in.",
      attributes: { realm: text({ doc: "Realm of the client.", default: "master" }) },
      secrets: { client_secret: { doc: "Secret of the client." } },
    },
  },
  attributes: {},
  secrets: { admin_password: { doc: "Password of the administrator." } },
  mcp: "later",
  commands: httpCommands({
    paths:
      "^/(health(/(live|ready|started))?|metrics|realms/[\\w.-]+(/\\.well-known/openid-configuration)?)?$",
    checks: ["curl -sf http://{host}:{port}/health/ready"],
  }),
});
