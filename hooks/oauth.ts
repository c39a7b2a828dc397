import { defineHook, factsOf } from "#hook";
import type { Topology } from "#hook";
import type routeHook from "./route.ts";
import type { Route } from "./route.ts";

type OAuth = NonNullable<Topology["access"]["oauth"]>;
type Component = Topology["components"][number];

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

interface Fault {
  readonly code: "E-MISSING" | "E-SHAPE";
  readonly message: string;
  readonly path: readonly string[];
}

/** The tokens by which callers come in, and what the server needs for them. */
export interface OAuthFacts extends Pick<
  OAuth,
  "issuer" | "scopes" | "claims" | "roles" | "teams" | "delegates" | "takesKeys"
> {
  readonly audience: string;
  /** The server as clients know it. */
  readonly resource: string;
  /** Where clients find out about the issuer: a path of the same host. */
  readonly metadataPath: string;
  /** What the rule to the issuer is called; no link has this id. */
  readonly link: string;
  /** Who gives the issuer's keys; `null` where a file does. */
  readonly signer: Component | null;
  /** Where the keys are had; `null` where a file has them. */
  readonly keysUrl: string | null;
  /** Of the keys; 0 where nobody is asked for them. */
  readonly port: number;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly fault: Fault | null;
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

function isUrl(text: string | null): text is string {
  return text !== null && /^https?:\/\//.test(text) && URL.canParse(text);
}

/** What a token travels over: in the open only within one machine. */
function isSafe(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

/** The one address of the drawn routes: clients ask for tokens for it, so two are one too many. */
function resourceOf({ audience }: OAuth, routes: readonly Route[]): string | Fault {
  const urls = [...new Set(routes.map(({ address }) => address))];
  const path = ["access", "oauth"];
  const resource = urls.length === 1 ? urls[0] : isUrl(audience) ? audience : undefined;
  if (resource === undefined) {
    const why = urls.length === 0 ? "no gateway with a domain leads to mcp" : "several routes lead to mcp";
    const message = `${why}, so the server's own address is not known: write it as audience, such as https://mcp.example.com/mcp`;
    return { code: "E-MISSING", message, path };
  }
  if (isSafe(resource)) return resource;
  const message = `tokens would travel to ${resource} in the open: give the server an https address`;
  return { code: "E-SHAPE", message, path };
}

/** `null` where no issuer is drawn: such a server knows nothing of tokens. */
export default defineHook({
  name: "oauth",
  after: ["route"],
  derive: ({ access: { oauth }, components }, facts): OAuthFacts | null => {
    if (oauth === null) return null;
    const { routes } = factsOf<typeof routeHook>(facts, "route");
    const { keys } = oauth;
    const found = resourceOf(oauth, routes);
    // With a fault nothing is written.
    const [resource, fault] = typeof found === "string" ? [found, null] : ["http://localhost/mcp", found];
    const { pathname } = new URL(resource);
    const signer =
      keys.from === "file" ? null : (components.find(({ name }) => name === keys.component) ?? null);
    const { issuer, scopes, claims, roles, teams, delegates, takesKeys } = oauth;
    return {
      issuer,
      scopes,
      claims,
      roles,
      teams,
      delegates,
      takesKeys,
      audience: oauth.audience ?? resource,
      resource,
      metadataPath: `${WELL_KNOWN}${pathname === "/" ? "" : pathname}`,
      link: `mcp issuer ${signer?.name ?? ""}`,
      signer,
      keysUrl: keys.from === "file" ? null : keys.url,
      port: keys.from === "file" ? 0 : portOf(keys.url),
      settings: keys.from === "file" ? [] : [{ name: "MCP_OAUTH_JWKS_URL", value: keys.url }],
      fault,
    };
  },
});
