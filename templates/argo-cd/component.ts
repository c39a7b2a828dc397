import { choice, defineComponent, httpCommands, text } from "#contract";
import type { McpLink } from "#contract";
import type * as module from "./tools.ts";

type Application = (typeof module.applications)[number];

const NAME = "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$";
/** Where the pods listen, whatever port the service in front of them has. */
const POD_PORT = 8080;

/** The namespace of Argo CD itself: the usual one when it runs in a cluster that was not drawn. */
export function homeOf({ component }: McpLink): string {
  return component.namespace || "argocd";
}

export function applicationOf(link: McpLink, { sub }: McpLink["targets"][number]): Application {
  return {
    name: sub.name,
    namespace: String(sub.attributes["namespace"] ?? homeOf(link)),
    project: String(sub.attributes["project"] ?? "default"),
  };
}

/** Each once, by name. */
export function projectsOf(link: McpLink): readonly string[] {
  return [...new Set(link.targets.map((target) => applicationOf(link, target).project))].sort();
}

function writableOf(link: McpLink): readonly string[] {
  return link.targets.filter(({ access }) => access !== "read").map(({ sub }) => sub.name);
}

function urlOf({ component }: McpLink): string {
  const { host, port, attributes } = component;
  return `${String(attributes["scheme"])}://${host ?? ""}:${port ?? 80}${String(attributes["path"] ?? "")}`;
}

export default defineComponent<typeof module>({
  type: "argo_cd",
  summary: "Argo CD: applies what stands in Git.",
  group: "delivery",
  port: 80,
  host: "{name}-server.{namespace}.svc.{cluster_domain}",
  attributes: {
    scheme: choice({
      doc: "How the API is reached: http only when it runs with server.insecure.",
      values: ["http", "https"],
      default: "http",
    }),
    path: text({
      doc: "Path in front of /api, when the server has one.",
      pattern: "^(/[\\w.-]+)*$",
      default: "",
    }),
  },
  subComponents: {
    applications: {
      kind: "application",
      doc: "Applications that AI may see.",
      attributes: {
        project: text({ doc: "Project of the application.", pattern: NAME, default: "default" }),
        namespace: text({
          doc: "Namespace of its Application object, when it is not Argo CD's.",
          pattern: NAME,
        }),
      },
    },
  },
  secrets: { api_token: { doc: "Token of an account." } },
  mcp: "tools",
  testedOn: ["Argo CD 3.2.11"],
  commands: httpCommands({
    paths: "^/(healthz|api/version)?$",
    checks: ["curl -skf http://{host}:{port}/healthz"],
  }),
  tools: {
    prefix: "argocd",
    service: "ARGOCD",
    scope: "applications",
    targetParameter: "name",
    slots: (link) => ({
      applications: link.targets.map((target) => applicationOf(link, target)),
      projects: projectsOf(link),
      writable: writableOf(link),
    }),
    settings: (link) => [{ name: "URL", value: urlOf(link) }],
    credentials: () => [{ name: "TOKEN", doc: "Token of the link's own account in Argo CD.", issued: true }],
    ports: ({ component }) =>
      component.external === null ? [...new Set([component.port ?? 80, POD_PORT])] : [component.port ?? 80],
    playbooks: {
      deployments: {
        tool: "argocd_list_applications",
        how: "to see what was deployed last and whether it is in sync, then the history of the application in question",
      },
    },
  },
});
