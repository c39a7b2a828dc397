import type { IncomingMessage, ServerResponse } from "node:http";
import type { FaultCode } from "#runtime/fault";

/** Statuses of the faults that a caller can do something about; anything else is a 500. */
const STATUSES: Readonly<Partial<Record<FaultCode, number>>> = {
  busy: 503,
  cancelled: 499,
  command_mode_off: 403,
  denied: 403,
  invalid_argument: 400,
  not_found: 404,
  not_linked: 403,
  timeout: 504,
  too_large: 413,
  upstream_unavailable: 502,
  write_disabled: 403,
};
const LINGER_MS = 2_000;

export function answerText(response: ServerResponse, status: number, text: string): void {
  const length = Buffer.byteLength(text);
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "content-length": length,
  });
  response.end(text);
}

/** What a refused caller reads. */
export interface Refusal {
  readonly code: FaultCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/**
 * Says what is wrong. A client that is still sending a body is not listened to, and cut off after a moment.
 */
export function turnAway(
  request: IncomingMessage,
  response: ServerResponse,
  { code, message, hint }: Refusal,
  { status = STATUSES[code] ?? 500, headers = {} }: Manner = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  answerText(response, status, JSON.stringify({ code, message, hint }));
  if (request.complete) return;
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  cut.unref();
  request.once("close", () => clearTimeout(cut));
}

/** How it is said, where that does not follow from the code. */
export interface Manner {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}
