import type { ComponentType } from "../catalog/contract.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { isBlock } from "./block.ts";
import type { Block } from "./block.ts";
import { resolveEnd } from "./references.ts";
import type { Components } from "./references.ts";
import type { End, OAuth, OAuthRole, Path } from "./topology.ts";
import { blockOf, labelsOf, textOf, textsOf } from "./values.ts";

/** What resolves a reference to a component that signs tokens. */
export interface IssuerContext {
  readonly components: Components;
  readonly types: ReadonlyMap<string, ComponentType>;
  readonly report: Report;
}

const PATH: Path = ["access", "oauth"];
const IS_URL = /^[a-z][a-z0-9+.-]*:\/\//i;
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);
/** What a role is when the claim says it in this project's own words. */
export const OAUTH_ROLES: readonly OAuthRole[] = ["viewer", "operator", "admin", "auditor"];

/** Why a URL is no place for tokens and keys, or `null`. Loopback is for a workstation and for tests. */
export function objectionToUrl(text: string): string | null {
  if (!URL.canParse(text)) return "is no URL";
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (protocol !== "https:" && !(protocol === "http:" && LOOPBACK.has(hostname)))
    return "is not https: whoever stands in between could sign tokens of their own";
  if (username !== "" || password !== "") return "holds a credential";
  return search === "" && hash === "" ? null : "must end after its path";
}

/** A component that signs tokens, with what it calls itself. */
function signer(
  end: End,
  key: string,
  { types, report }: IssuerContext,
): { url: string; keys: string } | null {
  const { component, sub } = end;
  const known = types.get(component.type)?.issuer?.(component, sub);
  const at = [...PATH, key];
  if (known === undefined) {
    report(
      "E-REF",
      `"${component.name}" is a ${component.type}, and signs no tokens that are known here`,
      at,
    );
    return null;
  }
  if ("lacks" in known) {
    report("E-MISSING", `the issuer "${component.name}" lacks ${known.lacks}`, at);
    return null;
  }
  const objection = objectionToUrl(known.url);
  if (objection === null) return known;
  report(
    "E-SHAPE",
    `${known.url} ${objection}; draw ${component.name} with scheme: https, or write what its tokens say as issuer, and keys: {file: ...}`,
    at,
  );
  return null;
}

interface Issuer {
  readonly url: string;
  /** Of its own keys, when it is drawn. */
  readonly keys: OAuth["keys"] | null;
}

function issuerOf(written: Block, context: IssuerContext): Issuer | null {
  const text = textOf(written, "issuer");
  if (text === null) return null;
  const { components, report } = context;
  const at = [...PATH, "issuer"];
  if (IS_URL.test(text)) {
    const objection = objectionToUrl(text);
    if (objection === null) return { url: text, keys: null };
    report("E-SHAPE", `${quoted(text)} ${objection}`, at);
    return null;
  }
  const end = resolveEnd(text, components, at, report);
  const known = end === null ? null : signer(end, "issuer", context);
  if (end === null || known === null) return null;
  return { url: known.url, keys: { from: "component", component: end.component.name, url: known.keys } };
}

function keysAt(end: End, path: string, { report }: IssuerContext): OAuth["keys"] | null {
  const { name, host, port } = end.component;
  const at = [...PATH, "keys", "from"];
  if (host === null || port === null) {
    report("E-MISSING", `"${name}" has no host and port under which its keys could be had`, at);
    return null;
  }
  const authority = host.includes(":") ? `[${host}]` : host;
  return { from: "component", component: name, url: new URL(`https://${authority}:${port}${path}`).href };
}

function keysOf(written: Block, issuer: Issuer | null, context: IssuerContext): OAuth["keys"] | null {
  const { components, types, report } = context;
  const block = blockOf(written, "keys");
  const [file, from, path] = ["file", "from", "path"].map((key) => textOf(block, key));
  if (file !== null && file !== undefined) return { from: "file", file };
  if (from === null || from === undefined) {
    if (issuer === null) return null;
    if (issuer.keys === null)
      report(
        "E-MISSING",
        `"oauth" needs keys: {from: <a drawn component>, path: ...} or {file: <key set beside the stack file>}: the server asks nobody who is not drawn`,
        PATH,
      );
    return issuer.keys;
  }
  const end = resolveEnd(from, components, [...PATH, "keys", "from"], report);
  if (end === null) return null;
  if (path !== null && path !== undefined) return keysAt(end, path, context);
  if (types.get(end.component.type)?.issuer === undefined) {
    const message = `"keys" needs path: under which "${end.component.name}" gives its key set, such as /oauth2/jwks`;
    report("E-MISSING", message, [...PATH, "keys"]);
    return null;
  }
  const known = signer(end, "keys", context);
  return known === null ? null : { from: "component", component: end.component.name, url: known.keys };
}

function rolesOf(written: Block): OAuth["roles"] {
  const roles = Object.entries(labelsOf(blockOf(written, "roles"))).flatMap(([value, word]) =>
    OAUTH_ROLES.filter((role) => role === word).map((role) => [value, role] as const),
  );
  return isBlock(written["roles"])
    ? Object.fromEntries(roles)
    : Object.fromEntries(OAUTH_ROLES.map((role) => [role, role]));
}

/** `access.oauth`; `null` where it is not drawn, and after a report. */
export function buildOAuth(access: Block, context: IssuerContext): OAuth | null {
  const written = access["oauth"];
  if (!isBlock(written)) return null;
  const { report } = context;
  const issuer = issuerOf(written, context);
  const keys = keysOf(written, issuer, context);
  const claims = labelsOf(blockOf(written, "claims"));
  if (isBlock(written["roles"]) && claims["role"] === undefined)
    report("E-MISSING", '"claims" needs role: the claim whose values "roles" maps', [...PATH, "roles"]);
  if (written["teams"] !== undefined && claims["team"] === undefined)
    report("E-MISSING", '"claims" needs team: the claim that "teams" chooses from', [...PATH, "teams"]);
  if (issuer === null || keys === null) return null;
  return {
    issuer: issuer.url,
    audience: textOf(written, "audience"),
    keys,
    scopes: textsOf(written, "scopes"),
    claims,
    roles: claims["role"] === undefined ? {} : rolesOf(written),
    teams: textsOf(written, "teams"),
    delegates: textsOf(written, "delegates"),
    takesKeys: written["api_keys"] !== false,
  };
}
