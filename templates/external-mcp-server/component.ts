import { choice, defineComponent, httpCommands, list, text } from "#contract";
import type { McpLink } from "#contract";
import type { Revision } from "#runtime/external-mcp-server/connection";
import { derivedTools } from "./listing.ts";
import type * as module from "./tools.ts";

const REVISIONS: readonly Revision[] = ["2025-11-25", "2026-07-28"];

function endpointOf({ component: { attributes } }: McpLink): typeof module.endpoint {
  return {
    scheme: attributes["scheme"] === "https" ? "https" : "http",
    path: String(attributes["path"] ?? "/mcp"),
  };
}

function urlOf(link: McpLink): string {
  const { host, port } = link.component;
  const { scheme, path } = endpointOf(link);
  return `${scheme}://${host ?? ""}:${port ?? 8080}${path}`;
}

export default defineComponent<typeof module>({
  type: "mcp_server",
  summary: "Another MCP server whose tools AI may use through this one.",
  group: "ai",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    listing: text({
      doc: "File with what it answers to tools/list, relative to the stack file: its tools are pinned to it.",
      document: true,
    }),
    allow_tools: list({ doc: "Names of its tools that may be called; left out, all of the listing." }),
    read_tools: list({
      doc: "Names of its tools that only read, by your own judgement; all others are write tools.",
    }),
    scheme: choice({ doc: "How the server is reached.", values: ["http", "https"], default: "http" }),
    path: text({ doc: "Path of the endpoint.", pattern: "^/[A-Za-z0-9/_.~-]*$", default: "/mcp" }),
    revision: choice({
      doc: "Revision of MCP that it speaks: with a handshake, or without.",
      values: REVISIONS,
      default: "2025-11-25",
    }),
  },
  secrets: { token: { doc: "Bearer token of the server." } },
  mcp: "tools",
  testedOn: ["MCP TypeScript SDK 1.32.2", "the servers that this project emits"],
  commands: httpCommands({ paths: "^/(health|ready)$", checks: ["curl -sf http://{host}:{port}/health"] }),
  tools: {
    prefix: "mcp_server",
    service: "MCP_SERVER",
    slots: (link) => ({
      pinned: [],
      revision: REVISIONS.find((each) => each === link.component.attributes["revision"]) ?? "2025-11-25",
      endpoint: endpointOf(link),
    }),
    derived: { slot: "pinned", tools: derivedTools },
    settings: (link) => [{ name: "URL", value: urlOf(link) }],
    credentials: () => [
      { name: "TOKEN", doc: "Bearer token that the other server gave to this link alone.", optional: true },
    ],
    playbooks: {},
  },
});
