import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { readNamedFile } from "#runtime/named-file";

/** Files that a service's TLS needs beyond the authorities of the process, read anew for every request. */
export type TlsFiles = readonly {
  /** `ca` replaces the public authorities; `cert` and `key` are what this server shows. */
  readonly use: "ca" | "cert" | "key";
  readonly path: string;
  readonly variable: string;
}[];

interface Outgoing {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
  /** The answer's bytes as they were sent, whatever its `content-encoding` says. */
  readonly verbatim: boolean;
}

async function optionsOf(files: TlsFiles): Promise<{ ca?: string; cert?: string; key?: string }> {
  const texts = files.map(
    async ({ use, path, variable }) => [use, await readNamedFile(path, variable)] as const,
  );
  return Object.fromEntries(await Promise.all(texts));
}

const WITHOUT_BODY = new Set([101, 204, 205, 304]);

/** With its length: Node sends the body of a DELETE without one, and the server then takes it for another request. */
function headersOf({ headers, body }: Outgoing): Readonly<Record<string, string>> {
  const length = body === null ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return { ...headers, ...length, "accept-encoding": "identity" };
}

function receivedHeaders({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  return headers;
}

async function sendByNode(url: URL, outgoing: Outgoing, files: TlsFiles): Promise<Response> {
  const tls = await optionsOf(files);
  const start = url.protocol === "https:" ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const { method, signal, body } = outgoing;
    const request = start(url, { ...tls, method, signal, headers: headersOf(outgoing) });
    request.once("error", reject);
    request.once("response", (message) => {
      const status = message.statusCode ?? 502;
      const stream = WITHOUT_BODY.has(status) ? null : (Readable.toWeb(message) as ReadableStream);
      if (stream === null) message.resume();
      resolve(new Response(stream, { status, headers: receivedHeaders(message) }));
    });
    request.end(body);
  });
}

/**
 * Sends one request and follows no redirect. The global `fetch` trusts the authorities of the whole process and
 * nothing else, and unpacks what is packed, so what needs another way goes through `node:http` and `node:https`.
 */
export async function send(url: URL, outgoing: Outgoing, files: TlsFiles): Promise<Response> {
  const isSpecial = outgoing.verbatim || (url.protocol === "https:" && files.length > 0);
  if (isSpecial) return await sendByNode(url, outgoing, files);
  const { verbatim: _, ...request } = outgoing;
  return await fetch(url, { ...request, redirect: "manual" });
}
