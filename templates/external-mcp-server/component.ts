import { defineComponent, list, text } from "#contract";

export default defineComponent({
  type: "mcp_server",
  summary: "Another MCP server whose tools AI may use through this one.",
  group: "ai",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    path: text({ doc: "Path of the endpoint.", pattern: "^/[A-Za-z0-9/_.~-]*$", default: "/mcp" }),
    allow_tools: list({ doc: "Names of its tools that may be called." }),
  },
  secrets: { token: { doc: "Bearer token of the server." } },
  mcp: "later",
});
