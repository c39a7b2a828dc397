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

async function sendWithFiles(url: URL, outgoing: Outgoing, files: TlsFiles): Promise<Response> {
  const tls = await optionsOf(files);
  return await new Promise((resolve, reject) => {
    const { method, signal, body } = outgoing;
    const request = httpsRequest(url, { ...tls, method, signal, headers: headersOf(outgoing) });
    request.once("error", reject);
    request.once("response", (message) => {
      const status = message.statusCode ?? 502;
      const stream = WITHOUT_BODY.has(status) ? null : (Readable.toWeb(message) as ReadableStream);
      if (stream === null) message.resume();
      resolve(new Response(stream, { status, headers: message.headers as Record<string, string> }));
    });
    request.end(body);
  });
}

/**
 * Sends one request and follows no redirect. The global `fetch` trusts the authorities of the whole process and
 * nothing else, so a service with files of its own is asked through `node:https`.
 */
export async function send(url: URL, outgoing: Outgoing, files: TlsFiles): Promise<Response> {
  if (url.protocol === "https:" && files.length > 0) return await sendWithFiles(url, outgoing, files);
  return await fetch(url, { ...outgoing, redirect: "manual" });
}
