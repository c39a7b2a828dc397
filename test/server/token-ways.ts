import { bootServer, workspace } from "../harness/emitted.ts";
import type { BootedServer } from "../harness/emitted.ts";
import { newPair, openTestIssuer } from "../harness/test-issuer.ts";
import type { TokenWish } from "../harness/test-issuer.ts";
import { ask, INITIALIZE } from "./boot.ts";
import type { Json } from "./boot.ts";
import { rowsOf } from "./governed.ts";

const AUDIENCE = "https://mcp.example.com/mcp";

/** A request with a token to an emitted server that takes those of a test issuer, for each word about tokens. */
export interface TokenWays {
  readonly ways: Readonly<Record<string, () => Promise<Json>>>;
  close(): Promise<void>;
}

export async function openTokenWays(): Promise<TokenWays> {
  const issuer = await openTestIssuer(AUDIENCE);
  const work = workspace();
  work.draw(
    "tokens",
    `apiVersion: topology/v1
stack: tokens
components:
  idp: {type: resource, host: 127.0.0.1, port: 8443}
links: {mcp: {stack_agent: read}}
access:
  oauth: {issuer: "${issuer.issuer}", audience: "${AUDIENCE}", keys: {from: idp, path: /jwks}, scopes: [mcp]}
  grants: {all: {subject: {group: sre}, maxTrust: low}}
`,
  );
  work.generate();
  const boot = async (auditFile: string): Promise<BootedServer> =>
    await bootServer(work.path("out/tokens"), {
      MCP_OAUTH_JWKS_URL: issuer.jwksUrl,
      MCP_AUDIT_FILE: work.path(auditFile),
    });
  const server = await boot("audit.jsonl");
  const asked = async (wish: TokenWish, { url } = server, auditFile = "audit.jsonl"): Promise<Json> => {
    const token = await issuer.token({ ...wish, claims: { scope: "mcp", ...wish.claims } });
    await ask(Number(url.port), {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: INITIALIZE }),
    });
    await new Promise((resolve) => setTimeout(resolve, 60));
    return { ...rowsOf(work.path(auditFile)).at(-1) };
  };
  const askedWith = (wish: TokenWish) => async () => await asked(wish);
  const now = Math.floor(Date.now() / 1_000);
  return {
    ways: {
      insufficient_scope: askedWith({ claims: { scope: "other" } }),
      /** Of a server that has never seen the issuer's keys. */
      issuer_unavailable: async () => {
        issuer.answer((_, response) => void response.writeHead(500).end());
        const fresh = await boot("fresh.jsonl");
        try {
          return await asked({}, fresh, "fresh.jsonl");
        } finally {
          issuer.answer(undefined);
          await fresh.stop();
        }
      },
      token_audience: askedWith({ claims: { aud: "https://other.example.com" } }),
      token_claims: askedWith({ claims: { sub: "" } }),
      token_expired: askedWith({ claims: { exp: now - 3_600 } }),
      token_issuer: askedWith({ claims: { iss: "https://evil.example.com" } }),
      token_malformed: askedWith({ header: { typ: "logout+jwt" } }),
      token_not_yet_valid: askedWith({ claims: { nbf: now + 3_600 } }),
      token_signature: async () => await asked({ by: await newPair() }),
    },
    close: async () => {
      await server.stop();
      await issuer.close();
      work.remove();
    },
  };
}
