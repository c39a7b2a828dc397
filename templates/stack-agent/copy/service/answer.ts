import type { IncomingMessage, ServerResponse } from "node:http";
import type { FaultCode, ToolFault } from "#runtime/fault";

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

export function answerFault(response: ServerResponse, fault: ToolFault): void {
  const { code, message, hint } = fault;
  answerText(response, STATUSES[code] ?? 500, JSON.stringify({ code, message, hint }));
}

/** Answers without having read the body; a client that goes on sending is cut off after a moment. */
export function turnAway(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  fault: { readonly code: FaultCode; readonly message: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  answerText(response, status, JSON.stringify(fault));
  if (request.complete) return;
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  cut.unref();
  request.once("close", () => clearTimeout(cut));
}
