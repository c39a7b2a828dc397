import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from "jose";
import type { CryptoKey, JWK, JWTHeaderParameters, JWTPayload } from "jose";

interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** What a token says beside the good defaults; `undefined` leaves a claim out. */
export interface TokenWish {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Partial<JWTHeaderParameters>;
  readonly by?: Pair;
}

/** A TEST ISSUER: it signs whatever it is asked to, and gives its keys over plain HTTP on loopback. */
export interface TestIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** How often the keys were asked for. */
  fetches(): number;
  pair(): Pair;
  /** From now on other keys; the old ones are not in the set any more. */
  rotate(alg?: string): Promise<Pair>;
  /** How the keys are answered: usually with the set. */
  answer(by: ((request: IncomingMessage, response: ServerResponse) => void) | undefined): void;
  keySet(): Promise<{ readonly keys: readonly JWK[] }>;
  /** The public key as text, which a careless server would take for a shared secret. */
  publicText(): Promise<string>;
  token(wish?: TokenWish): Promise<string>;
  close(): Promise<void>;
}

let made = 0;

export async function newPair(alg = "RS256"): Promise<Pair> {
  made += 1;
  return { kid: `test-${made}`, alg, ...(await generateKeyPair(alg, { extractable: true })) };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

export async function openTestIssuer(audience: string): Promise<TestIssuer> {
  let current = await newPair();
  let count = 0;
  let special: Parameters<TestIssuer["answer"]>[0];
  const keySet = async (): Promise<{ keys: JWK[] }> => {
    const { kid, alg, publicKey } = current;
    return { keys: [{ ...(await exportJWK(publicKey)), kid, alg, use: "sig" }] };
  };
  const server = createServer((request, response) => {
    count += 1;
    if (special !== undefined) return special(request, response);
    void keySet().then((set) =>
      response.setHeader("content-type", "application/json").end(JSON.stringify(set)),
    );
  });
  const base = `http://127.0.0.1:${await listen(server)}`;
  const issuer = `${base}/realms/test`;
  return {
    issuer,
    jwksUrl: `${base}/jwks`,
    fetches: () => count,
    pair: () => current,
    rotate: async (alg = "RS256") => (current = await newPair(alg)),
    answer: (by) => {
      special = by;
    },
    keySet,
    publicText: async () => await exportSPKI(current.publicKey),
    token: async ({ claims = {}, header = {}, by = current } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const usual = { iss: issuer, aud: audience, sub: "ada-4711", iat: now, exp: now + 300 };
      const payload = { ...usual, ...claims } as JWTPayload;
      return await new SignJWT(payload)
        .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: "at+jwt", ...header })
        .sign(by.privateKey);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
