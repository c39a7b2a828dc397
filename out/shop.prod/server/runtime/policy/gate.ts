import { openHotFile } from "#runtime/hot-file";
import type { Principal } from "#runtime/identity/identity";
import { evaluate, isOver, isSubject, UNAVAILABLE } from "#runtime/policy/policy";
import type { Decision, PolicyIdentity } from "#runtime/policy/policy";
import { parsePolicy } from "#runtime/policy/document";
import type { PolicyDocument, PolicySession, SideEffect, Trust } from "#runtime/policy/document";
import type { ToolEntry } from "#runtime/surface/tool-index";

/** What is decided about a call, and by which policy. */
export interface PolicyVerdict {
  readonly decision: Decision;
  /** Empty while there is no policy. */
  readonly revision: string;
}

/** The policy as of now: a changed file, a revoked session and a grant that ends count from the next call on. */
export interface PolicyGate {
  decide(principal: Principal | undefined, entry: ToolEntry): PolicyVerdict;
  /** Whether any grant is for the principal; true while there is no policy that could tell. */
  isFor(principal: Principal): boolean;
  /** Of the policy as of now; empty while there is none. */
  revision(): string;
  /** Whether there is a policy to decide by. */
  isReady(): boolean;
  status(): object;
}

/** A server without any tool has nothing to grant. */
export const NO_TOOL: PolicyVerdict = {
  decision: { ...UNAVAILABLE, reason: "tool_not_granted" },
  revision: "",
};

/** The row's words for it. */
export function policyRow(verdict: PolicyVerdict | undefined): Readonly<Record<string, string>> {
  if (verdict === undefined) return {};
  const { decision, revision } = verdict;
  return {
    policy_version: decision.policyVersion,
    policy_revision: revision,
    matched_grant: decision.matchedGrant,
    matched_session: decision.matchedSession,
    required_trust: decision.requiredTrust,
    required_side_effect: decision.requiredSideEffect,
    risk_level: decision.riskLevel,
    admin_trust: decision.adminTrust,
    consented_trust: decision.consentedTrust,
    effective_trust: decision.effectiveTrust,
  };
}

/** How much of a grant a role may use without a session that says so. */
const CEILING: Readonly<Record<Principal["role"], Trust>> = {
  viewer: "low",
  auditor: "low",
  operator: "high",
  admin: "high",
};

export function sideEffectOf({ tool, writes }: Pick<ToolEntry, "tool" | "writes">): SideEffect {
  if (!writes) return "read";
  return tool.effect === "destructive" ? "destructive" : "write";
}

/** A key that names nobody speaks for itself; one that speaks for others names them, or nobody. */
function identityOf({ id, human, agent, team, delegated, session }: Principal): PolicyIdentity {
  const isNameless = human === null && agent === null && team === null;
  return {
    human: human ?? "",
    agent: agent ?? (isNameless && !delegated ? id : ""),
    team: team ?? "",
    session: session ?? "",
  };
}

/**
 * The session of a caller who named none: the most trusted of the document's that is alive, a dead one where there is
 * no other, and its own where the document has none for it.
 */
function ownSession(
  { sessions = [] }: PolicyDocument,
  principal: Principal,
  identity: PolicyIdentity,
  now: number,
): PolicySession {
  const trust = ["low", "medium", "high"];
  const rank = ({ revoked, consented_trust: consent = "low", ...rest }: PolicySession): number =>
    revoked === true || isOver(rest, now) ? -1 : trust.indexOf(consent);
  const [best] = sessions
    .filter((session) => isSubject(session, identity))
    .sort((a, b) => rank(b) - rank(a) || (a.name < b.name ? -1 : 1));
  return best ?? { name: principal.id, consented_trust: CEILING[principal.role] };
}

/** A grant goes with the session of its name: its end stands there. */
function livingGrants({ grants = [], sessions = [] }: PolicyDocument, now: number): PolicyDocument["grants"] {
  const dead = new Set(
    sessions
      .filter((session) => session.revoked === true || isOver(session, now))
      .map(({ name, namespace = "" }) => `${namespace}/${name}`),
  );
  return dead.size === 0
    ? grants
    : grants.filter(({ name, namespace = "" }) => !dead.has(`${namespace}/${name}`));
}

function decisionOf(policy: PolicyDocument, principal: Principal, entry: ToolEntry): Decision {
  const now = Date.now();
  const identity = identityOf(principal);
  const binds = identity.session === "" && !principal.delegated;
  const decision = evaluate(
    { ...policy, grants: livingGrants(policy, now) ?? [] },
    {
      identity,
      method: "tools/call",
      tool: entry.tool.name,
      ceiling: CEILING[principal.role],
      atLeast: sideEffectOf(entry),
      ...(binds ? { ownSession: ownSession(policy, principal, identity, now) } : {}),
    },
    now,
  );
  // Watching is for reads: a write is never let through to see what would have happened.
  const isWatched = policy.policy?.mode === "observe" && !entry.writes;
  return isWatched ? { ...decision, allowed: true, status: 200 } : decision;
}

/** Reads the policy; without one that can be used every call is refused, and the server is not ready. */
export function openPolicyGate(path: string): PolicyGate {
  const file = openHotFile(path, "policy.json", parsePolicy);
  file.current();
  return {
    decide: (principal, entry) => {
      const policy = file.current();
      if (policy === undefined || principal === undefined) return { decision: UNAVAILABLE, revision: "" };
      return { decision: decisionOf(policy, principal, entry), revision: policy.revision };
    },
    isFor: (principal) => {
      const policy = file.current();
      return (
        policy === undefined || (policy.grants ?? []).some((each) => isSubject(each, identityOf(principal)))
      );
    },
    revision: () => file.current()?.revision ?? "",
    isReady: () => file.current() !== undefined,
    status: () => {
      const policy = file.current();
      return {
        ready: policy !== undefined,
        schema_version: policy?.schema_version ?? "",
        revision: policy?.revision ?? "",
        loaded_at: file.loadedAt()?.toISOString() ?? null,
        last_reload_error: file.lastError(),
      };
    },
  };
}
