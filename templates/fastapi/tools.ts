import { MAX_ROWS, MAX_TEXT } from "#runtime/fastapi/limits";
import type { Operation } from "#runtime/fastapi/operation";
import { resultOf } from "#runtime/fastapi/answer";
import { askText, openService, operationTool } from "#runtime/fastapi/service";
import type { Service } from "#runtime/fastapi/service";
import { ToolFault } from "#runtime/fault";
import type { HttpOptions } from "#runtime/http";
import { offsetOf, pageFrom } from "#runtime/page";
import { integer, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Endpoint = Required<Pick<HttpOptions, "scheme" | "path">>;
type Context = CallContext<Service>;

export const link: LinkFacts = slot("link", {
  id: "mcp->fastapi",
  component: "fastapi",
  type: "fastapi",
  env: "MCP_FASTAPI",
  host: "127.0.0.1",
  port: 8080,
});

/** One tool for each: the operations of the drawn document that this link may call. */
export const operations: readonly Operation[] = slot("operations", []);

/** Header that carries the API key, unless a variable names another. */
export const keyHeader: string = slot("keyHeader", "X-API-Key");

/** Path that says whether the service is up. */
export const healthPath: string = slot("healthPath", "/health");

/** How the service is reached beside host and port, as drawn. */
export const endpoint: Endpoint = slot("endpoint", { scheme: "http", path: "" });

const listOperations = defineTool({
  name: named("fastapi_list_operations"),
  title: "List the operations of the service",
  description: `Use to see which tool calls which path of the service, and which of them write. Answers of all of them are cut after ${MAX_ROWS} items of a list or ${MAX_TEXT} characters of text.`,
  effect: "read",
  parameters: {
    limit: integer({ min: 1, max: 100, default: 50 }),
    cursor: text({ max: 256, optional: true }),
  },
  handler: async ({ limit, cursor }) => {
    const tool = named("fastapi_list_operations");
    const offset = offsetOf(tool, {}, cursor);
    const rows = operations.map(({ name, method, path, effect, title }) => ({
      tool: name,
      method,
      path,
      effect,
      title,
    }));
    const { items, about } = pageFrom(rows, limit, { tool, args: {}, offset, total: rows.length });
    return { ...about, data: { operations: items } };
  },
});

const health = defineTool({
  name: named("fastapi_health"),
  title: "Check the service",
  description: "Use first when calls fail: whether the service is healthy, and what it says of itself.",
  effect: "read",
  parameters: {},
  handler: async (_, { client, signal }: Context) => {
    let refused: number | undefined;
    const path = healthPath.split("/").filter((segment) => segment !== "");
    const note = (status: number): undefined => {
      refused = status;
      return undefined;
    };
    try {
      const said = await askText(client, {
        path,
        endsInSlash: healthPath.endsWith("/"),
        signal,
        faultIn: note,
      });
      return { data: { healthy: true, says: resultOf(said, true).data } };
    } catch (error) {
      if (!(error instanceof ToolFault) || refused === undefined) throw error;
      return { data: { healthy: false, status: String(refused), says: error.message } };
    }
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openService(link, settings, { ...endpoint, keyHeader }),
  close: async () => undefined,
  tools: [listOperations, health, ...operations.map(operationTool)],
});
