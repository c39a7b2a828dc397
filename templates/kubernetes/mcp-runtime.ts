import { factsOf } from "#hook";
import type routeHook from "../../hooks/route.ts";
import type { Route } from "../../hooks/route.ts";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
import type { PolicyGrant, PolicySession } from "../../hooks/runtime-policy.ts";
import type workloadHook from "../../hooks/workload.ts";
import type { Deployed } from "./deployed.ts";
import { annotationsOf } from "./ingress.ts";

/** The operator reads processor and memory, and nothing else. */
const AMOUNTS: ReadonlySet<string> = new Set(["cpu", "memory"]);

function subjectOf(party: Pick<PolicyGrant, "human_id" | "agent_id" | "team_id">): object {
  return {
    ...(party.human_id === undefined ? {} : { humanID: party.human_id }),
    ...(party.agent_id === undefined ? {} : { agentID: party.agent_id }),
    ...(party.team_id === undefined ? {} : { teamID: party.team_id }),
  };
}

function grantView(grant: PolicyGrant): object {
  return { ...grant, subject: subjectOf(grant), rules: grant.tool_rules ?? [] };
}

function sessionView(session: PolicySession): object {
  return { ...session, subject: subjectOf(session), expires: session.expires_at ?? null };
}

/** The route as far as annotations alone can make it: the operator's gateway changes the path. */
function bare(route: Route): Route {
  const only = { ...route, isRewritten: false };
  return route.class === "traefik" ? { ...only, rate: null, cors: false } : only;
}

/** Everything that the files for mcp-runtime show of the server. */
export function runtimeView({ topology, facts, server: pod, config }: Deployed): object {
  const { server, path } = factsOf<typeof workloadHook>(facts, "workload");
  const { document } = factsOf<typeof runtimePolicyHook>(facts, "runtime-policy");
  const route = factsOf<typeof routeHook>(facts, "route").routes.find(({ kind }) => kind === "ingress");
  const prefix = (route?.path ?? path).slice(0, -path.length);
  const { auth, policy, session, tools = [], grants = [], sessions = [] } = document;
  return {
    ...pod,
    description: topology.description ?? `MCP server of the stack ${topology.stack}`,
    route: route?.path ?? "",
    ingressHost: route?.host ?? "",
    ingressClass: route?.class ?? "",
    prefix: prefix.slice(1),
    stripPrefix: prefix,
    annotations: route === undefined ? [] : annotationsOf(bare(route), { namespace: server.namespace, path }),
    gatewayPort: server.entryPort,
    auth,
    policy,
    session,
    tools,
    grants: grants.map(grantView),
    sessions: sessions.map(sessionView),
    settings: [...pod.settings, ...config.settings],
    // It cannot leave out what a Secret does not hold, so only what must be there, or was drawn, is named.
    secrets: pod.secrets.filter(({ optional, implied }) => !optional || !implied),
    requests: pod.requests.filter(({ name }) => AMOUNTS.has(name)),
    limits: pod.limits.filter(({ name }) => AMOUNTS.has(name)),
    policyName: `${server.name}-gateway-policy`,
    policyLines: JSON.stringify(document, null, 2).split("\n"),
  };
}
