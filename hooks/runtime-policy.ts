import { hash } from "node:crypto";
import { defineHook, factsOf, kubernetesName } from "#hook";
import type { Topology } from "#hook";
import type accessMatrixHook from "./access-matrix.ts";
import type { AccessMatrix } from "./access-matrix.ts";
import type oauthHook from "./oauth.ts";
import type { OAuthFacts } from "./oauth.ts";
import type surfaceHook from "./surface.ts";
import type { SurfaceTool } from "./surface.ts";
import type workloadHook from "./workload.ts";

type Grant = Topology["access"]["grants"][number];
type Trust = Grant["maxTrust"];
type SideEffect = "read" | "write" | "destructive";

interface Subject {
  readonly human_id?: string;
  readonly agent_id?: string;
  readonly team_id?: string;
}

export interface PolicyTool {
  readonly name: string;
  readonly description: string;
  readonly required_trust: Trust;
  readonly side_effect: SideEffect;
  readonly risk_level: Trust;
}

export interface PolicyGrant extends Subject {
  readonly name: string;
  readonly max_trust: Trust;
  readonly allowed_side_effects: readonly SideEffect[];
  readonly policy_version: string;
  /** Every tool by name; left out when the grant lists none, and trust alone decides. */
  readonly tool_rules?: readonly {
    readonly name: string;
    readonly decision: "allow" | "deny";
    readonly required_trust: Trust;
  }[];
}

export interface PolicySession extends Subject {
  readonly name: string;
  readonly consented_trust: Trust;
  readonly expires_at?: string;
  readonly policy_version: string;
}

/** The policy document of mcp-runtime, version 1, in the order in which its revision is worked out. */
export interface PolicyDocument {
  readonly schema_version: "v1";
  readonly revision: string;
  readonly server: { readonly name: string; readonly namespace: string };
  readonly auth: Readonly<Record<string, string>>;
  readonly policy: Readonly<Record<string, string>>;
  readonly session: Readonly<Record<string, string | boolean>>;
  readonly tools?: readonly PolicyTool[];
  readonly grants?: readonly PolicyGrant[];
  readonly sessions?: readonly PolicySession[];
}

export interface RuntimePolicyFacts {
  /** As mcp-runtime's gateway enforces it. */
  readonly document: PolicyDocument;
  /** As the server enforces it itself: a drawing without grants lets whoever holds a key in. */
  readonly own: PolicyDocument;
  /** Grants with a subject that mcp-runtime cannot tell: leaving part of it out would let more people in. */
  readonly inexpressible: readonly string[];
}

const VERSION = "v1";
const SESSION_HEADER = "X-MCP-Agent-Session";
const AUTH = {
  mode: "header",
  human_id_header: "X-MCP-Human-ID",
  agent_id_header: "X-MCP-Agent-ID",
  team_id_header: "X-MCP-Team-ID",
  session_id_header: SESSION_HEADER,
  token_header: "Authorization",
};
/** mcp-runtime's words for who says who is calling; the server itself holds to its own code. */
function authOf(oauth: OAuthFacts | null): Readonly<Record<string, string>> {
  if (oauth === null) return AUTH;
  return { ...AUTH, mode: "oauth", issuer_url: oauth.issuer, audience: oauth.audience };
}

const POLICY = {
  mode: "allow-list",
  default_decision: "deny",
  enforce_on: "call_tool",
  policy_version: VERSION,
};
const SESSION = {
  required: true,
  store: "kubernetes",
  header_name: SESSION_HEADER,
  max_lifetime: "24h",
  idle_timeout: "1h",
  upstream_token_header: "Authorization",
};
/** Whoever holds a key: mcp-runtime has no such subject, and lets nobody in by it. */
const ANY_KEY: PolicyGrant = {
  name: "any-key",
  agent_id: "*",
  max_trust: "high",
  allowed_side_effects: ["read", "write", "destructive"],
  policy_version: VERSION,
};
const EFFECTS: readonly SideEffect[] = ["read", "write", "destructive"];
const MOST_EFFECTS = { low: 1, medium: 2, high: 3 } as const;

/** Go's own escapes, which the revision is worked out over. */
function goJson(document: object): string {
  return JSON.stringify(document).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Digest of the document without its revision. Nothing in it is empty, so nothing has to be left out. */
export function revisionOf(document: PolicyDocument): string {
  return `sha256:${hash("sha256", goJson({ ...document, revision: "" }), "hex")}`;
}

function sideEffect(effect: string): SideEffect {
  return effect === "additive" ? "write" : effect === "destructive" ? "destructive" : "read";
}

/** `2027-01-31` ends with the day before, as the grants of this project do. */
function instant(date: string): string {
  if (!date.includes("T")) return `${date}T00:00:00Z`;
  return /T\d{2}:\d{2}Z$/.test(date) ? date.replace("Z", ":00Z") : date;
}

function subjectOf({ subject: { human, agent, team, group } }: Grant): Subject {
  const teamId = team ?? group;
  return {
    ...(human === undefined ? {} : { human_id: human }),
    ...(agent === undefined ? {} : { agent_id: agent }),
    ...(teamId === undefined ? {} : { team_id: teamId }),
  };
}

function isInexpressible({ subject: { team, group } }: Grant): boolean {
  const isBoth = team !== undefined && group !== undefined && team !== group;
  return isBoth || /\s/.test(team ?? group ?? "");
}

/** Of the objects; two grants whose names differ in `-` and `_` only are one to Kubernetes. */
function objectName(server: string, grant: Grant): string {
  return `${server}-${kubernetesName(grant.name)}`;
}

function grantOf(name: string, grant: Grant, tools: AccessMatrix["tools"]): PolicyGrant {
  const { allow, deny } = grant.tools;
  const isListed = allow.length + deny.length > 0;
  const rules = tools.map(({ name: tool, trust, grants }) => ({
    name: tool,
    decision: grants.includes(grant.name) ? ("allow" as const) : ("deny" as const),
    required_trust: trust,
  }));
  return {
    name,
    ...subjectOf(grant),
    max_trust: grant.maxTrust,
    allowed_side_effects: EFFECTS.slice(0, MOST_EFFECTS[grant.maxTrust]),
    policy_version: VERSION,
    ...(isListed && rules.length > 0 ? { tool_rules: rules } : {}),
  };
}

/** A grant is an agreement too, up to the same trust; the day on which it ends stands here. */
function sessionOf(name: string, grant: Grant): PolicySession {
  return {
    name,
    ...subjectOf(grant),
    consented_trust: grant.maxTrust,
    ...(grant.expires === null ? {} : { expires_at: instant(grant.expires) }),
    policy_version: VERSION,
  };
}

function toolsOf(tools: readonly SurfaceTool[], { tools: needs }: AccessMatrix): readonly PolicyTool[] {
  const trusts = new Map(needs.map(({ name, trust }) => [name, trust]));
  return tools.map(({ name, title, effect }) => {
    const trust = trusts.get(name) ?? "high";
    return {
      name,
      description: title,
      required_trust: trust,
      side_effect: sideEffect(effect),
      risk_level: trust,
    };
  });
}

function stamped(document: PolicyDocument): PolicyDocument {
  return { ...document, revision: revisionOf(document) };
}

/** Without grants nobody is bound to a session either; `required` is left out, as Go leaves out what is false. */
function openToKeys(document: PolicyDocument): PolicyDocument {
  const { required: _required, ...session } = document.session;
  const { schema_version, revision, server, auth, policy, tools } = document;
  const head = { schema_version, revision, server, auth, policy, session };
  return { ...head, ...(tools === undefined ? {} : { tools }), grants: [ANY_KEY] };
}

/** What the drawing permits, as mcp-runtime's gateway enforces it. Nothing that is not drawn is in it. */
export default defineHook({
  name: "runtime-policy",
  after: ["access-matrix", "oauth", "surface", "workload"],
  derive: (topology, facts): RuntimePolicyFacts => {
    const { server } = factsOf<typeof workloadHook>(facts, "workload");
    const matrix = factsOf<typeof accessMatrixHook>(facts, "access-matrix");
    const tools = toolsOf(factsOf<typeof surfaceHook>(facts, "surface").tools, matrix);
    const grants = topology.access.grants
      .filter((grant) => !isInexpressible(grant))
      .map((grant) => ({ name: objectName(server.name, grant), grant }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const unstamped: PolicyDocument = {
      schema_version: "v1",
      revision: "",
      server: { name: server.name, namespace: server.namespace },
      auth: authOf(factsOf<typeof oauthHook>(facts, "oauth")),
      policy: POLICY,
      session: SESSION,
      ...(tools.length > 0 ? { tools } : {}),
      ...(grants.length > 0
        ? {
            grants: grants.map(({ name, grant }) => grantOf(name, grant, matrix.tools)),
            sessions: grants.map(({ name, grant }) => sessionOf(name, grant)),
          }
        : {}),
    };
    const isOpen = topology.access.grants.length === 0;
    return {
      document: stamped(unstamped),
      own: stamped(isOpen ? openToKeys(unstamped) : unstamped),
      inexpressible: topology.access.grants.filter(isInexpressible).map(({ name }) => name),
    };
  },
});
