import { defineHook, factsOf } from "#hook";
import type { Topology } from "#hook";
import type routeHook from "./route.ts";

type OAuth = NonNullable<Topology["access"]["oauth"]>;
type Component = Topology["components"][number];

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

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
  /** Of the keys; 0 where nobody is asked for them. */
  readonly port: number;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly fault: { readonly message: string; readonly path: readonly string[] } | null;
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

function isUrl(text: string | null): text is string {
  return text !== null && /^https?:\/\//.test(text) && URL.canParse(text);
}

/** The one address of the drawn routes: clients ask for tokens for it, so two are one too many. */
function resourceOf(
  { audience }: OAuth,
  routes: ReturnType<(typeof routeHook)["derive"]>["routes"],
): Pick<OAuthFacts, "resource" | "fault"> {
  const urls = new Set(routes.map(({ tls, host, path }) => `${tls ? "https" : "http"}://${host}${path}`));
  const [only] = urls;
  if (isUrl(audience) && (urls.size !== 1 || only === undefined)) return { resource: audience, fault: null };
  if (urls.size === 1 && only !== undefined) return { resource: only, fault: null };
  const why = urls.size === 0 ? "no gateway with a domain leads to mcp" : "several routes lead to mcp";
  const message = `${why}, so the server's own address is not known: write it as audience, such as https://mcp.example.com/mcp`;
  return { resource: "http://localhost/mcp", fault: { message, path: ["access", "oauth"] } };
}

/** `null` where no issuer is drawn: such a server knows nothing of tokens. */
export default defineHook({
  name: "oauth",
  after: ["route"],
  derive: ({ access: { oauth }, components }, facts): OAuthFacts | null => {
    if (oauth === null) return null;
    const { routes } = factsOf<typeof routeHook>(facts, "route");
    const { keys } = oauth;
    const { resource, fault } = resourceOf(oauth, routes);
    const { pathname } = new URL(resource);
    const signer =
      keys.from === "file" ? null : (components.find(({ name }) => name === keys.component) ?? null);
    const { issuer, scopes, claims, roles, teams, delegates, takesKeys } = oauth;
    return {
      ...{ issuer, scopes, claims, roles, teams, delegates, takesKeys },
      audience: oauth.audience ?? resource,
      resource,
      metadataPath: `${WELL_KNOWN}${pathname === "/" ? "" : pathname}`,
      link: `mcp issuer ${signer?.name ?? ""}`,
      signer,
      port: keys.from === "file" ? 0 : portOf(keys.url),
      settings: keys.from === "file" ? [] : [{ name: "MCP_OAUTH_JWKS_URL", value: keys.url }],
      fault,
    };
  },
});
