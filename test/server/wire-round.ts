import { ask } from "./boot.ts";
import type { Json } from "./boot.ts";

const META = "io.modelcontextprotocol/";

/** A person at the client who read the form and goes on to wait. */
export const ACCEPT = { inputResponses: { wait: { action: "accept", content: {} } } };
export const INVALID = { error: { code: -32_602, message: "Invalid or expired requestState" } };

export interface Round {
  readonly port: number;
  readonly key: string;
  readonly tool: string;
  readonly args: Json;
  /** The state of an earlier round, with what the person answered. */
  readonly more?: Json;
  /** What the client says that it can ask; `null` says nothing of it. */
  readonly elicitation?: Json | null;
}

/** One request of revision 2026-07-28, as it stands on the wire. */
export async function wireRound({
  port,
  key,
  tool,
  args,
  more = {},
  elicitation = {},
}: Round): Promise<Json> {
  const envelope = {
    [`${META}protocolVersion`]: "2026-07-28",
    [`${META}clientInfo`]: { name: "suite", version: "1.0.0" },
    [`${META}clientCapabilities`]: elicitation === null ? {} : { elicitation },
  };
  const params = { name: tool, arguments: args, ...more, _meta: envelope };
  const { json } = await ask(port, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": tool,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
  });
  return (json["result"] ?? { error: json["error"] }) as Json;
}

export const stateIn = (answer: Json): string => String(answer["requestState"]);
export const messageIn = (answer: Json): string =>
  (answer["inputRequests"] as { wait: { params: { message: string } } } | undefined)?.wait.params.message ??
  "";
export const proposalIn = (answer: Json): string =>
  /as proposal ([0-9a-f]{16})/.exec(messageIn(answer))?.[1] ?? "";
