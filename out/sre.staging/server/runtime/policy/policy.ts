import type {
  PolicyDocument,
  PolicyGrant,
  PolicySession,
  PolicySubject,
  PolicyTool,
  SideEffect,
  Trust,
} from "#runtime/policy/document";
import type { PolicyReason } from "#runtime/reason";

/** Who asks; an empty text is somebody who is not named. */
export interface PolicyIdentity {
  readonly human: string;
  readonly agent: string;
  readonly team: string;
  /** As the caller names it. */
  readonly session: string;
}

export interface PolicyRequest {
  readonly identity: PolicyIdentity;
  readonly method: string;
  readonly tool: string;
  /** Stands in for a session of the document. */
  readonly ownSession?: PolicySession;
  /** No consent reaches further. */
  readonly ceiling?: Trust;
  /** What the code itself does; the document can only say more. */
  readonly atLeast?: SideEffect;
}

/** In the words and the order of mcp-runtime. */
export interface Decision {
  readonly allowed: boolean;
  readonly status: number;
  readonly reason: "allowed" | PolicyReason;
  readonly policyVersion: string;
  readonly requiredTrust: Trust | "";
  readonly requiredSideEffect: SideEffect | "";
  readonly riskLevel: Trust | "";
  readonly adminTrust: Trust | "";
  readonly consentedTrust: Trust | "";
  readonly effectiveTrust: Trust | "";
  readonly matchedGrant: string;
  readonly matchedGrantNamespace: string;
  readonly matchedSession: string;
  readonly matchedSessionNamespace: string;
}

const LEVELS: readonly Trust[] = ["low", "medium", "high"];
const EFFECTS: readonly SideEffect[] = ["read", "write", "destructive"];

/** From 1; nothing is 0. */
function rankOf(trust: Trust | "" | undefined): number {
  return trust === undefined || trust === "" ? 0 : LEVELS.indexOf(trust) + 1;
}
function levelOf(rank: number): Trust | "" {
  return LEVELS[rank - 1] ?? "";
}
function strongerOf(a: SideEffect, b: SideEffect): SideEffect {
  return EFFECTS.indexOf(a) > EFFECTS.indexOf(b) ? a : b;
}

/** A subject that names nobody is for nobody; `*` is for every agent. */
export function isSubject(subject: PolicySubject, identity: PolicyIdentity): boolean {
  const { human_id: human = "", agent_id: agent = "", team_id: team = "" } = subject;
  if (human !== "" && human !== identity.human) return false;
  if (agent !== "" && agent !== "*" && agent !== identity.agent) return false;
  if (team !== "" && team !== identity.team) return false;
  return human !== "" || agent !== "" || team !== "";
}

/** An unreadable date has passed. */
export function isOver({ expires_at: end = "" }: PolicySession, now: number): boolean {
  if (end.trim() === "") return false;
  const instant = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(end) ? Date.parse(end) : Number.NaN;
  return !(now < instant);
}

function sessionOf({ sessions = [] }: PolicyDocument, request: PolicyRequest): PolicySession | undefined {
  const { identity, ownSession } = request;
  if (ownSession !== undefined) return ownSession;
  return sessions.find(({ name, ...subject }) => name === identity.session && isSubject(subject, identity));
}

/** What is known when a decision is made early. */
function early(policyVersion: string, more: Partial<Decision>): Decision {
  return {
    allowed: false,
    status: 403,
    reason: "policy_unavailable",
    policyVersion,
    requiredTrust: "",
    requiredSideEffect: "",
    riskLevel: "",
    adminTrust: "",
    consentedTrust: "",
    effectiveTrust: "",
    matchedGrant: "",
    matchedGrantNamespace: "",
    matchedSession: "",
    matchedSessionNamespace: "",
    ...more,
  };
}

/** The decision where there is no policy to make one. */
export const UNAVAILABLE: Decision = early("", { status: 503 });

function riskOf(tool: PolicyTool, effect: SideEffect | "", trust: Trust): Trust | "" {
  if (tool.risk_level !== undefined) return tool.risk_level;
  if (effect === "destructive" || trust === "high") return "high";
  if (effect === "write" || trust === "medium") return "medium";
  return effect === "read" ? "low" : "";
}

/** What the grants of one caller come to for one tool. */
interface Granted {
  readonly denied: boolean;
  readonly isAllowed: boolean;
  readonly coversEffect: boolean;
  readonly admin: number;
  readonly needed: number;
  readonly by: PolicyGrant | undefined;
}

const byName = (a: PolicyGrant, b: PolicyGrant): number =>
  `${a.namespace ?? ""}\0${a.name}` < `${b.namespace ?? ""}\0${b.name}` ? -1 : 1;

function grantedBy(
  grants: readonly PolicyGrant[],
  tool: string,
  effect: SideEffect | "",
  trust: Trust,
): Granted {
  let sum: Granted = {
    denied: false,
    isAllowed: false,
    coversEffect: false,
    admin: 0,
    needed: rankOf(trust),
    by: undefined,
  };
  for (const grant of grants.toSorted(byName)) {
    const { tool_rules: rules = [] } = grant;
    const own = rules.filter(({ name }) => name === tool);
    if (rules.length > 0 && own.length === 0) continue;
    if (own.some(({ decision }) => decision === "deny")) return { ...sum, denied: true, by: grant };
    sum = { ...sum, isAllowed: true, by: sum.by ?? grant };
    if (effect === "" || !(grant.allowed_side_effects ?? []).includes(effect)) continue;
    const admin = rankOf(grant.max_trust);
    const needed = Math.max(0, ...own.map(({ required_trust: wanted }) => rankOf(wanted)));
    const decides = !sum.coversEffect || admin > sum.admin || needed > sum.needed;
    sum = {
      ...sum,
      coversEffect: true,
      admin: Math.max(sum.admin, admin),
      needed: Math.max(sum.needed, needed),
      by: decides ? grant : sum.by,
    };
  }
  return sum;
}

/** The part of a decision that says through which session it was made. */
type Bound = Pick<Decision, "matchedSession" | "matchedSessionNamespace">;
const UNBOUND: Bound = { matchedSession: "", matchedSessionNamespace: "" };

/** The session of a call, or why it has none that counts; without one only where none is required. */
function bindSession(
  document: PolicyDocument,
  request: PolicyRequest,
  now: number,
): { readonly session: PolicySession | undefined; readonly bound: Bound } | Decision {
  const { identity, ownSession } = request;
  const version = document.policy?.policy_version ?? "";
  const isRequired = document.session?.required === true;
  const isNamed = identity.session !== "" || ownSession !== undefined;
  const turnAway = (reason: PolicyReason, more: Partial<Decision> = {}): Decision =>
    early(version, { status: 401, reason, ...more });
  if (isRequired && !isNamed) return turnAway("missing_session");
  const session = isNamed ? sessionOf(document, request) : undefined;
  if (session === undefined)
    return isRequired ? turnAway("session_not_found") : { session: undefined, bound: UNBOUND };
  const bound = { matchedSession: session.name, matchedSessionNamespace: session.namespace ?? "" };
  const dead =
    session.revoked === true ? "session_revoked" : isOver(session, now) ? "session_expired" : undefined;
  if (dead === undefined) return { session, bound };
  if (!isRequired) return { session: undefined, bound: UNBOUND };
  return turnAway(dead, { ...bound, policyVersion: session.policy_version || version });
}

/** What the caller's grants come to for the tool, once it is known through which session. */
function decide(
  document: PolicyDocument,
  request: PolicyRequest,
  session: PolicySession | undefined,
  bound: Bound,
): Decision {
  const { policy = {}, tools = [], grants = [] } = document;
  const version = policy.policy_version ?? "";
  const byDefault = (reason: PolicyReason, more: Partial<Decision>): Decision =>
    early(
      version,
      policy.default_decision === "allow"
        ? { ...more, allowed: true, status: 200, reason }
        : { ...more, reason },
    );
  const entry = tools.find(({ name }) => name === request.tool);
  const trust = entry?.required_trust || "low";
  const written = entry?.side_effect || "";
  const effect = written === "" ? "" : strongerOf(written, request.atLeast ?? "read");
  const own = grants.filter((grant) => isSubject(grant, request.identity));
  if (own.length === 0) return byDefault("no_matching_grant", bound);
  const granted = grantedBy(
    own.filter(({ disabled }) => disabled !== true),
    request.tool,
    effect,
    trust,
  );
  const by = {
    ...bound,
    matchedGrant: granted.by?.name ?? "",
    matchedGrantNamespace: granted.by?.namespace ?? "",
  };
  const policyVersion = granted.by?.policy_version || version;
  if (granted.denied) return early(policyVersion, { ...by, reason: "tool_denied" });
  if (!granted.isAllowed) return byDefault("tool_not_granted", bound);
  const needs: Partial<Decision> = {
    ...by,
    requiredTrust: levelOf(granted.needed),
    requiredSideEffect: effect,
    riskLevel: entry === undefined ? "" : riskOf(entry, effect, trust),
  };
  if (effect === "") return early(policyVersion, { ...needs, reason: "tool_side_effect_unknown" });
  if (!granted.coversEffect) return early(policyVersion, { ...needs, reason: "side_effect_not_allowed" });
  if (granted.admin === 0) return byDefault("grant_without_trust", by);
  const consent = rankOf(session?.consented_trust) || granted.admin;
  const consented = Math.min(consent, rankOf(request.ceiling ?? "high"));
  const effective = Math.min(granted.admin, consented);
  const levels = {
    ...needs,
    adminTrust: levelOf(granted.admin),
    consentedTrust: levelOf(consented),
    effectiveTrust: levelOf(effective),
  };
  if (effective < granted.needed) return early(policyVersion, { ...levels, reason: "trust_too_low" });
  return early(policyVersion, { ...levels, allowed: true, status: 200, reason: "allowed" });
}

/**
 * What mcp-runtime's own evaluator decides, at `now` in milliseconds. A pure function: nothing is remembered from
 * one call to the next, so that what is revoked or over counts at once.
 */
export function evaluate(document: PolicyDocument, request: PolicyRequest, now: number): Decision {
  const version = document.policy?.policy_version ?? "";
  if (request.method !== "tools/call" || request.tool === "")
    return early(version, { allowed: true, status: 200, reason: "allowed" });
  const { human, agent, team } = request.identity;
  if (human === "" && agent === "" && team === "")
    return early(version, { status: 401, reason: "missing_identity" });
  const found = bindSession(document, request, now);
  return "reason" in found ? found : decide(document, request, found.session, found.bound);
}
