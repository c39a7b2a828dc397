import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { RequestOptions } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCertificates } from "../harness/authority.ts";
import { boot, INITIALIZE } from "./boot.ts";
import type { Booted } from "./boot.ts";

const certificates = openCertificates();
const file = certificates.at;

beforeAll(() => {
  for (const name of ["ca", "other"]) certificates.authority(name);
  for (const name of ["server", "client"]) certificates.signed(name, "ca", "DNS:localhost");
  certificates.signed("stranger", "other", "DNS:localhost");
});
afterAll(() => certificates.remove());

async function status(port: number, options: RequestOptions, body?: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    const call = request(
      { host: "localhost", port, ca: readFileSync(file("ca.pem")), agent: false, ...options },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

const initialize = (key: string, certificate?: string): RequestOptions => ({
  method: "POST",
  path: "/mcp",
  headers: {
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  },
  ...(certificate === undefined
    ? {}
    : { cert: readFileSync(file(`${certificate}.pem`)), key: readFileSync(file(`${certificate}.key`)) }),
});
const BODY = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE });

describe("P11: TLS", () => {
  const environment = (): Record<string, string> => ({
    TLS_CERT_FILE: file("server.pem"),
    TLS_KEY_FILE: file("server.key"),
  });

  it("serves its certificate, and no plain HTTP", async () => {
    const server = await boot("sdk", environment());
    expect(await status(server.port, initialize(server.key), BODY)).toBe(200);
    await expect(fetch(`http://localhost:${server.port}/health`)).rejects.toThrow();
    await server.close();
  });

  it("mutual: certificate and key, both or nothing; probes are answered without", async () => {
    const server: Booted = await boot("sdk", { ...environment(), TLS_CLIENT_CA_FILE: file("ca.pem") });
    expect(await status(server.port, initialize(server.key, "client"), BODY)).toBe(200);
    expect(await status(server.port, initialize(server.key), BODY)).toBe(401);
    expect((await server.newRows()).at(-1)).toMatchObject({
      decision: "deny",
      reason: "missing_client_certificate",
      key_id: null,
    });
    expect(await status(server.port, initialize(server.key, "stranger"), BODY)).toBe(401);
    expect(await status(server.port, initialize("wrong", "client"), BODY)).toBe(401);
    expect((await server.newRows()).at(-1)).toMatchObject({ reason: "unauthenticated" });
    expect(await status(server.port, { path: "/ready" })).toBe(200);
    await server.close();
  });

  it("does not start with half of it, or with what is no certificate", async () => {
    await expect(boot("sdk", { TLS_CERT_FILE: file("server.pem") })).rejects.toThrow("TLS needs both");
    await expect(boot("sdk", { ...environment(), TLS_KEY_FILE: file("nothing") })).rejects.toThrow(
      "TLS_CLIENT_CA_FILE cannot be used (ENOENT)",
    );
    await expect(boot("sdk", { ...environment(), TLS_KEY_FILE: file("client.key") })).rejects.toThrow(
      "cannot be used (ERR_OSSL_X509_KEY_VALUES_MISMATCH)",
    );
  });
});
