import type { IncomingMessage, ServerResponse } from "node:http";
import type { McpService, Caller } from "#runtime/protocol/mcp-service";
import type { Exchange } from "#runtime/call/exchange";
import type { SessionNames } from "#runtime/protocol/session-names";

/** A request to `/mcp` that passed the front door: authenticated, bounded, and parsed when it has a body. */
export interface McpRequest {
  readonly caller: Caller;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** `undefined` for GET and DELETE. */
  readonly body: unknown;
}

/** Speaks MCP with one library; holds no rule of its own. */
export interface Adapter {
  answer(request: McpRequest): Promise<void>;
  /** Serves stdin and stdout until the client closes them; `open` begins the exchange of a message. */
  serveStdio(open: () => Exchange, stop: AbortSignal): Promise<void>;
  /** Ends sessions and streams; calls in flight have ended before. */
  close(): Promise<void>;
}
/** With `names`, sessions are known to every replica; without, to this process alone. */
export type CreateAdapter = (service: McpService, names?: SessionNames) => Adapter;
