import { plainText } from "#runtime/plain-text";
import type { Exchange } from "#runtime/call/exchange";
import type { Caller } from "#runtime/protocol/mcp-service";
import { traceInBody } from "#runtime/call/trace";

/** Turns the messages of one stdio connection into exchanges, so that they leave the rows that HTTP requests leave. */
export interface StdioLog {
  arrive(message: object): void;
  leave(message: object): void;
  /** On whose behalf the request with this id is answered. */
  callerOf(id: string | number): Caller;
  /** The client has gone: nobody waits for what is still running. */
  end(): void;
}

interface Pending {
  readonly exchange: Exchange;
  readonly gone: AbortController;
}

const OK = 200;
const ACCEPTED = 202;
const CLIENT_GONE = 499;

export function createStdioLog(open: () => Exchange): StdioLog {
  const pending = new Map<unknown, Pending>();
  const finish = (id: unknown, status: number, bytes: number): void => {
    const request = pending.get(id);
    pending.delete(id);
    request?.exchange.finish(status, bytes);
    if (status === CLIENT_GONE) request?.gone.abort();
  };
  return {
    arrive: (message) => {
      if (!("method" in message) || typeof message.method !== "string") return;
      const exchange = open();
      const trace = traceInBody(message);
      exchange.note({
        method: plainText(message.method.slice(0, 128)),
        ...(trace === undefined ? {} : { trace }),
      });
      if (!("id" in message)) return exchange.finish(ACCEPTED, 0);
      // A client that uses an id twice at once gives up the first request.
      finish(message.id, CLIENT_GONE, 0);
      pending.set(message.id, { exchange, gone: new AbortController() });
    },
    leave: (message) => {
      if ("id" in message && !("method" in message))
        finish(message.id, OK, Buffer.byteLength(JSON.stringify(message)));
    },
    callerOf: (id) => {
      const request = pending.get(id);
      if (request === undefined) throw new Error("no request with this id has arrived");
      return { exchange: request.exchange, signal: request.gone.signal };
    },
    end: () => [...pending.keys()].forEach((id) => finish(id, CLIENT_GONE, 0)),
  };
}
