import { defineComponent, httpCommands, integer, text } from "#contract";

const shape = {
  group: "backend",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  secrets: { api_key: { doc: "Key that callers present." } },
  access: ["read", "write", "readwrite"],
  mcp: "later",
  commands: httpCommands({ checks: ["curl -sf http://{host}:{port}/"] }),
} as const;

const attributes = {
  openapi: text({ doc: "OpenAPI document of the service, relative to the stack file.", document: true }),
  image: text({ doc: "Container image." }),
};

export default [
  defineComponent({ ...shape, type: "fastapi", summary: "A service written with FastAPI.", attributes }),
  defineComponent({
    ...shape,
    type: "service",
    summary: "Any other service that answers over HTTP.",
    attributes: {
      ...attributes,
      protocol: text({ doc: "Protocol it speaks.", default: "http" }),
      tech: text({ doc: "Language or framework." }),
      replicas: integer({ doc: "Pods that run.", min: 0 }),
    },
  }),
];
