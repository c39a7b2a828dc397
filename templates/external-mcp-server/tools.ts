import { closeServer } from "#runtime/external-mcp-server/connection";
import type { OtherServer, Revision } from "#runtime/external-mcp-server/connection";
import type { PinnedTool } from "#runtime/external-mcp-server/pinned";
import { offered, pinnedTool, stateOf } from "#runtime/external-mcp-server/proxy";
import { openHttp } from "#runtime/http";
import type { HttpOptions } from "#runtime/http";
import { offsetOf, pageFrom } from "#runtime/page";
import { integer, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Endpoint = Required<Pick<HttpOptions, "scheme" | "path">>;
type Context = CallContext<OtherServer>;

export const link: LinkFacts = slot("link", {
  id: "mcp->mcp_server",
  component: "mcp_server",
  type: "mcp_server",
  env: "MCP_MCP_SERVER",
  host: "127.0.0.1",
  port: 8080,
});

/** The other server's tools that were drawn, each as it was reviewed. */
export const pinned: readonly PinnedTool[] = slot("pinned", []);

/** Revision of MCP that the other server speaks. */
export const revision: Revision = slot("revision", "2025-11-25");

/** How it is reached beside host and port, as drawn. */
export const endpoint: Endpoint = slot("endpoint", { scheme: "http", path: "/mcp" });

const check = defineTool({
  name: named("mcp_server_check"),
  title: "Compare the other server with what was reviewed",
  description:
    "Use when a tool of the other server is denied or gone: whether each is as reviewed, changed or gone, and how many others the server has.",
  effect: "read",
  parameters: {
    limit: integer({ min: 1, max: 100, default: 50 }),
    cursor: text({ max: 256, optional: true }),
  },
  handler: async ({ limit, cursor }, { client, signal }: Context) => {
    const tool = named("mcp_server_check");
    const offset = offsetOf(tool, {}, cursor);
    const now = await offered(client, signal);
    const rows = pinned.map((each) => ({ tool: each.name, state: stateOf(each, now) }));
    const known = new Set(pinned.map(({ upstream }) => upstream));
    const others = [...now.keys()].filter((name) => !known.has(name)).length;
    const { items, about } = pageFrom(rows, limit, { tool, args: {}, offset, total: rows.length });
    return { ...about, data: { tools: items, others } };
  },
});

export const tools = defineModule({
  link,
  open: (settings): OtherServer => ({
    http: openHttp(link, settings, endpoint),
    revision,
    session: undefined,
    lastId: 0,
  }),
  close: closeServer,
  tools: [check, ...pinned.map(pinnedTool)],
});
