import { choice, defineComponent, httpCommands, integer, list, text } from "#contract";
import type { McpLink } from "#contract";
import { derivedTools, documentOf, keyHeaderOf } from "./openapi/operations.ts";
import type * as module from "./tools.ts";

const PATH = "^(/[\\w.-]+)*/?$";

function endpointOf({ component: { attributes } }: McpLink): typeof module.endpoint {
  return {
    scheme: attributes["scheme"] === "https" ? "https" : "http",
    path: String(attributes["path"] ?? ""),
  };
}

function urlOf(link: McpLink): string {
  const { host, port } = link.component;
  const { scheme, path } = endpointOf(link);
  return `${scheme}://${host ?? ""}:${port ?? 8080}${path}`;
}

const attributes = {
  openapi: text({ doc: "OpenAPI document of the service, relative to the stack file.", document: true }),
  operations: list({ doc: "operationIds that AI may be given; left out, all of the document." }),
  scheme: choice({ doc: "How the service is reached.", values: ["http", "https"], default: "http" }),
  path: text({ doc: "Path in front of those of the document.", pattern: PATH, default: "" }),
  health: text({ doc: "Path that says whether the service is up.", pattern: PATH, default: "/health" }),
  image: text({ doc: "Container image." }),
};

const shape = {
  group: "backend",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  secrets: { api_key: { doc: "Key that callers present." } },
  access: ["read", "write", "readwrite"],
  mcp: "tools",
  testedOn: ["FastAPI 0.163.2 on uvicorn 0.54.0 behind nginx 1.22"],
  commands: httpCommands({ checks: ["curl -sf http://{host}:{port}/"] }),
} as const;

const tools = {
  prefix: "fastapi",
  slots: (link: McpLink, topology: Parameters<typeof documentOf>[1]) => ({
    operations: [],
    keyHeader: keyHeaderOf(documentOf(link, topology)),
    endpoint: endpointOf(link),
    healthPath: String(link.component.attributes["health"] ?? "/health"),
  }),
  derived: { slot: "operations", tools: derivedTools },
  settings: (link: McpLink) => [{ name: "URL", value: urlOf(link) }],
  credentials: () =>
    [
      {
        name: "API_KEY",
        doc: "Key of this link's own, sent in the header that the document names.",
        optional: true,
      },
      {
        name: "TOKEN",
        doc: "Bearer token of this link's own, for a service that wants one.",
        optional: true,
      },
    ] as const,
  playbooks: {
    health: { tool: "fastapi_health", how: "to see whether the service answers, and what it says of itself" },
  },
} as const;

export default [
  defineComponent<typeof module>({
    ...shape,
    type: "fastapi",
    summary: "A service written with FastAPI.",
    attributes,
    tools: { ...tools, service: "FASTAPI" },
  }),
  defineComponent<typeof module>({
    ...shape,
    type: "service",
    summary: "Any other service that answers over HTTP.",
    attributes: {
      ...attributes,
      protocol: text({ doc: "Protocol it speaks.", default: "http" }),
      tech: text({ doc: "Language or framework." }),
      replicas: integer({ doc: "Pods that run.", min: 0 }),
    },
    tools: { ...tools, ownPrefix: "service", service: "SERVICE" },
  }),
];
