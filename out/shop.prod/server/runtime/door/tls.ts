import { readFileSync, statSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { RequestListener, Server, ServerOptions } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/** Files of a certificate, which whoever renews it replaces. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate of this authority, beside their key. */
  readonly clientCa: string | undefined;
}

const LOOK_MS = 60_000;

/** TLS is on when certificate and key are named; without them the gateway or the network in front ends it. */
export function readTlsFiles(environment: Environment): TlsFiles | undefined {
  const cert = environment["TLS_CERT_FILE"] || undefined;
  const key = environment["TLS_KEY_FILE"] || undefined;
  const clientCa = environment["TLS_CLIENT_CA_FILE"] || undefined;
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new StartError(
      "TLS needs both TLS_CERT_FILE and TLS_KEY_FILE; TLS_CLIENT_CA_FILE comes beside them",
    );
  return { cert, key, clientCa };
}

function contextOf({ cert, key, clientCa }: TlsFiles): SecureContextOptions {
  const ca = clientCa === undefined ? {} : { ca: readFileSync(clientCa) };
  return { cert: readFileSync(cert), key: readFileSync(key), ...ca, minVersion: "TLSv1.2" };
}

function versionOf({ cert, key, clientCa }: TlsFiles): string {
  const files = [cert, key, ...(clientCa === undefined ? [] : [clientCa])];
  return files.map((file) => `${statSync(file).mtimeMs}-${statSync(file).size}`).join();
}

/** A renewed certificate counts for new connections within a minute; one that cannot be used changes nothing. */
function followRenewals(server: ReturnType<typeof createHttpsServer>, files: TlsFiles): void {
  let version = versionOf(files);
  const look = setInterval(() => {
    try {
      const found = versionOf(files);
      if (found === version) return;
      version = found;
      const context = contextOf(files);
      createSecureContext(context);
      server.setSecureContext(context);
    } catch (problem) {
      const why = problem instanceof Error && "code" in problem ? String(problem.code) : "unknown error";
      process.stderr.write(`the renewed certificate cannot be used (${why}); the old one stays\n`);
    }
  }, LOOK_MS);
  look.unref();
  server.once("close", () => clearInterval(look));
}

/** A server in the open, or over TLS. `asksClients` wants a certificate from clients where an authority is named. */
export function createListener(
  options: ServerOptions,
  tls: TlsFiles | undefined,
  asksClients: boolean,
  onRequest: RequestListener,
): Server {
  if (tls === undefined) return createHttpServer(options, onRequest);
  try {
    const requestCert = asksClients && tls.clientCa !== undefined;
    // A client without a certificate is answered, so that probes work and the audit has its row.
    const secure = { ...contextOf(tls), requestCert, rejectUnauthorized: false };
    const server = createHttpsServer({ ...options, ...secure }, onRequest);
    followRenewals(server, tls);
    return server;
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new StartError(
      `the certificate of TLS_CERT_FILE, TLS_KEY_FILE or TLS_CLIENT_CA_FILE cannot be used (${why})`,
    );
  }
}

/** Whether the client showed a certificate that the authority signed, where one is wanted. */
export function isCertified(socket: Socket, tls: TlsFiles | undefined): boolean {
  return tls?.clientCa === undefined || (socket instanceof TLSSocket && socket.authorized);
}
