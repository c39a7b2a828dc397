import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";

/** Of a body as it is read, after decompression; past it the rest is not fetched. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;
const MAX_REASON = 300;

export interface Body {
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly text: string;
  json(): unknown;
}

/** Reads the body to its end, or until a piece is the last that is wanted, or gives up at `MAX_BODY_BYTES` with `too_large`. */
export async function bodyOf(response: Response, until?: (chunk: Uint8Array) => boolean): Promise<Body> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new ToolFault("upstream_unavailable", `the service answered with a redirect (${response.status})`, {
      hint: "redirects are never followed: the link's URL must be the final one",
    });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream, and that ends the transfer.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) {
      throw new ToolFault("too_large", `the service sent more than ${MAX_BODY_BYTES} bytes`, {
        hint: "ask for less",
      });
    }
    chunks.push(chunk);
    if (until?.(chunk) === true) break;
  }
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString("utf8");
  return { headers: response.headers, bytes, text, json: () => parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ToolFault("upstream_unavailable", "the service's answer is not JSON", {
      hint: "something else may answer at the link's address",
    });
  }
}

const CODES: Readonly<Record<number, FaultCode>> = {
  400: "invalid_argument",
  401: "denied",
  403: "denied",
  404: "not_found",
  408: "timeout",
  409: "invalid_argument",
  413: "too_large",
  422: "invalid_argument",
  429: "rate_limited",
  504: "timeout",
};

/** What the service itself says went wrong, from the fields that services use for it. */
function reasonOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null) return "";
    const fields = body as Readonly<Record<string, unknown>>;
    return (
      [fields["error"], fields["message"], fields["detail"]].find((field) => typeof field === "string") ?? ""
    );
  } catch {
    // An error page of a proxy: nothing in it is meant for a caller.
    return "";
  }
}

/** The fault for a status that is not 2xx, with the service's own reason but without its address. */
export function explain(status: number, text: string, base: URL): ToolFault {
  const reason = reasonOf(text).replaceAll(base.host, "the service").replaceAll(base.hostname, "the service");
  const code = CODES[status] ?? (status < 500 ? "invalid_argument" : "upstream_unavailable");
  if (status === 401 || status === 403) {
    return new ToolFault(code, `the service refused the account of this link (${status})`);
  }
  const said = reason === "" ? "" : `: ${reason.slice(0, MAX_REASON)}`;
  return new ToolFault(code, `the service answered ${status}${said}`);
}
