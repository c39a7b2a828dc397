import type { IncomingMessage, ServerResponse } from "node:http";
import { parseStrictJson, utf8Text } from "#runtime/strict-json";

const MAX_BYTES = 1024 * 1024;

/** Why a body is not a JSON-RPC message that the server looks at. */
export interface BodyFault {
  readonly status: 400 | 413;
  /** JSON-RPC error code. */
  readonly code: number;
  readonly message: string;
}
export type Body = { readonly value: unknown } | { readonly fault: BodyFault };

function faulty(status: 400 | 413, code: number, message: string): Body {
  return { fault: { status, code, message } };
}
const TOO_LARGE = faulty(413, -32_600, `The body must not be larger than ${MAX_BYTES} bytes`);

/** The bytes of a body, or `undefined` for more than `maxBytes`; rejects only when the client leaves. */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer | undefined> {
  // The client of an `Expect: 100-continue` has waited until now, that is until it was authenticated.
  if (request.headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else resolve(undefined);
    });
    request.on("end", () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    request.on("close", () => {
      if (!request.complete) reject(new Error("the client left while it was sending"));
    });
  });
}

function parse(bytes: Buffer): Body {
  try {
    const parsed = parseStrictJson(utf8Text(bytes));
    if ("objection" in parsed) return faulty(400, -32_600, `The body ${parsed.objection}`);
    const { value } = parsed;
    if (Array.isArray(value))
      return faulty(400, -32_600, "Batches are not accepted: send one message per request");
    if (typeof value !== "object" || value === null)
      return faulty(400, -32_600, "The body must be a JSON-RPC message");
    return { value };
  } catch {
    return faulty(400, -32_700, "The body is not valid JSON");
  }
}

/** Reads and parses a body within the limits; rejects only when the client leaves. */
export async function readJsonBody(request: IncomingMessage, response: ServerResponse): Promise<Body> {
  const bytes = await readBody(request, response, MAX_BYTES);
  return bytes === undefined ? TOO_LARGE : parse(bytes);
}
