import { FAULT_CODES, ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";
import { openHttp, requestJson } from "#runtime/http";
import type { HttpRequest } from "#runtime/http";
import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";
import type { Page, StackAgent } from "./agent.ts";

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Fields) : {};
  } catch {
    // A page of something that stands in between: no fault of the agent's can be in it.
    return {};
  }
}

const isCode = (code: unknown): code is FaultCode => FAULT_CODES.some((known) => known === code);

/** The agent says its faults as this server's own code would; only what it says about tokens is not passed on. */
function faultIn(status: number, text: string): ToolFault | undefined {
  if (status === 401)
    return new ToolFault("upstream_unavailable", "the stack agent does not accept this server's token", {
      hint: "the operator gives both the same MCP_AGENT_TOKEN",
    });
  const { code, message, hint } = fieldsOf(text);
  if (!isCode(code) || typeof message !== "string") return undefined;
  return new ToolFault(code, message, typeof hint === "string" ? { hint } : {});
}

function pageQuery({ limit, cursor }: Page): NonNullable<HttpRequest["query"]> {
  return { limit, cursor };
}

/** An answer of another program at the agent's address must not pass for the drawing. */
function demand<T>(answer: unknown, member: string): T {
  const isAnswer = typeof answer === "object" && answer !== null && member in answer;
  if (isAnswer) return answer as T;
  throw new ToolFault("upstream_unavailable", "the answer at MCP_AGENT_URL is not one of the stack agent", {
    hint: "server and agent must come from one generation",
  });
}

/** The agent as a service; throws a SettingError when its address or token cannot be used. */
export function remoteAgent(link: LinkFacts, settings: Settings): StackAgent {
  const service = openHttp(link, settings);
  if (service.authorization === undefined)
    throw new SettingError(`${link.env}_TOKEN`, `is not set, but ${link.env}_URL is`);
  const ask = async <T>(
    member: string,
    path: readonly string[],
    signal: AbortSignal,
    more: Pick<HttpRequest, "query" | "json"> = {},
  ): Promise<T> =>
    demand<T>(await requestJson(service, { path: ["metadata", ...path], signal, faultIn, ...more }), member);
  return {
    query: async (json, signal) => await ask("rows", ["q"], signal, { json }),
    test: async (json, { pages, mayWrite }, signal) =>
      await ask("data", ["test"], signal, { json, query: { pages, write: mayWrite } }),
    structure: async (page, signal) =>
      await ask("components", ["structure"], signal, { query: pageQuery(page) }),
    fields: async (component, signal) => await ask("variables", ["fields", component], signal),
    profile: async (category, signal) =>
      await ask("categories", ["profile"], signal, { query: { category } }),
    summary: async (signal) => await ask("namespaces", ["summary"], signal),
    dna: async (signal) => await ask("data_flows", ["dna"], signal),
  };
}
