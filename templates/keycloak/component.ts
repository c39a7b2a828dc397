import { choice, defineComponent, httpCommands, text } from "#contract";
import type { Component, McpLink } from "#contract";
import type * as module from "./tools.ts";

/** The drawn realms, and as long as the link is not narrowed those of drawn clients. */
function realmsOf({
  component,
  targets,
  narrowed,
  access,
}: McpLink): readonly { name: string; writes: boolean }[] {
  const drawn = targets.map(({ sub, access: word }) => ({ name: sub.name, writes: word !== "read" }));
  const ofClients = component.subs
    .filter(({ section }) => section === "clients")
    .map(({ attributes }) => ({ name: String(attributes["realm"]), writes: access !== "read" }));
  const all = new Map([...(narrowed ? [] : ofClients), ...drawn].map((each) => [each.name, each]));
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The realms by name, all and those for writing. */
export function realmNames(link: McpLink): {
  readonly all: readonly string[];
  readonly writable: readonly string[];
} {
  const realms = realmsOf(link);
  return {
    all: realms.map(({ name }) => name),
    writable: realms.filter(({ writes }) => writes).map(({ name }) => name),
  };
}

/** The link's own client in each realm. */
export function accountOf({ component }: McpLink): string {
  return `mcp_${component.name.replaceAll("-", "_")}`;
}

function endpointOf({ attributes }: Component): typeof module.endpoint {
  return {
    scheme: attributes["scheme"] === "https" ? "https" : "http",
    path: String(attributes["path"] ?? ""),
  };
}

function urlOf(component: Component): string {
  const { host, port } = component;
  const { scheme, path } = endpointOf(component);
  return `${scheme}://${host ?? ""}:${port ?? 8080}${path}`;
}

export default defineComponent<typeof module>({
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
  attributes: {
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({
      doc: "Path in front of /realms and /admin, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
  },
  secrets: { admin_password: { doc: "Password of the administrator." } },
  mcp: "tools",
  issuer: (component, sub) => {
    if (sub?.kind !== "realm") return { lacks: `a realm: write ${component.name}/<realm>` };
    const url = new URL(`${urlOf(component)}/realms/${encodeURIComponent(sub.name)}`).href;
    return { url, keys: `${url}/protocol/openid-connect/certs` };
  },
  testedOn: ["Keycloak 26.0.7"],
  commands: httpCommands({
    paths:
      "^/(health(/(live|ready|started))?|metrics|realms/[\\w.-]+(/\\.well-known/openid-configuration)?)?$",
    checks: ["curl -sf http://{host}:{port}/health/ready"],
  }),
  tools: {
    prefix: "keycloak",
    service: "KEYCLOAK",
    scope: "realms",
    targetParameter: "realm",
    slots: (link) => ({
      realms: realmNames(link).all,
      writableRealms: realmNames(link).writable,
      account: accountOf(link),
      endpoint: endpointOf(link.component),
    }),
    settings: (link) => [
      { name: "URL", value: urlOf(link.component) },
      { name: "CLIENT_ID", value: accountOf(link) },
    ],
    credentials: () => [{ name: "CLIENT_SECRET", doc: "Secret of the link's own client in each realm." }],
  },
});
