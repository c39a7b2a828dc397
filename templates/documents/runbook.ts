/** What an operator is told about refusals. A code or a reason of the runtime that is missing here does not compile. */
import type { Topology } from "#hook";
import { ANCHOR_EVERY } from "#runtime/audit/record";
import type { FaultCode } from "#runtime/fault";
import type { ApprovalReason, DoorReason, HiddenReason } from "#runtime/reason";
import type credentialsHook from "../../hooks/credentials.ts";
import type serverAddressHook from "../../hooks/server-address.ts";
import type oauthHook from "../../hooks/oauth.ts";
import type { WriteGate } from "../../hooks/write-gates.ts";
import type { Explained, Turned } from "./explained.ts";
import { TOKEN_REASONS, tokensView } from "./tokens.ts";

/** `code` of an answer with `isError`, by name. */
const FAULTS: Readonly<Record<FaultCode, Explained>> = {
  approval_required: {
    means: "the link is drawn with propose, or MCP_APPROVAL_MODE=required; nothing was executed",
    remedy: "an approver decides about the proposal that the answer names: see Approve a write",
  },
  audit_unavailable: {
    means: "a write was not executed, because it could not be recorded first",
    remedy:
      "free or mount the disk of MCP_AUDIT_FILE, and see that the state answers that replicas share; reads go on",
  },
  busy: {
    means: "4 calls to this service are running and 16 wait, or 50 proposals of one caller do",
    remedy:
      "call again; when it lasts, the service is slow, not the server; approvers decide about proposals",
  },
  cancelled: { means: "the client gave the call up, or the server was stopping", remedy: "nothing" },
  change_ref_required: {
    means: "a rule wants the id of a change record, and the call named none",
    remedy: "give the model the id; governance/rules/ has the rule that the message names",
  },
  command_mode_off: {
    means: "run_test may only show the commands, with dry_run",
    remedy: "nothing is broken; running commands is switched off",
  },
  denied: {
    means: "outside of what is drawn, or the service refused the link's account",
    remedy: "compare docs/ACCESS.md; then apply principals/ again, or renew the password",
  },
  gitops_required: {
    means: "a rule sends this change through git; the answer holds a patch to review",
    remedy: "review and apply the patch; nothing was executed",
  },
  internal: {
    means: "a fault of the server itself",
    remedy: "find the request id of the answer on stderr of the pod, and report it",
  },
  invalid_argument: {
    means: "the arguments do not fit the tool, or the service could not use them",
    remedy: "the model corrects them itself; docs/TOOLS.md has the limits",
  },
  not_found: { means: "the named thing does not exist", remedy: "nothing" },
  not_linked: {
    means: "the component is drawn, but mcp has no link to it",
    remedy: "draw the link, if AI should reach it",
  },
  outside_change_window: {
    means: "a rule allows this change at other times only",
    remedy: "wait for the window that the answer names, or change the rule and generate",
  },
  policy_unavailable: {
    means: "the policy engine of OPA_URL did not answer, or has no decision for the call",
    remedy: "is it up, and does it have governance/mcp.rego? until then every call is refused",
  },
  rate_limited: {
    means: "the caller made more calls than its share, or the service asked for fewer",
    remedy:
      "the client waits retry_after_ms; else the limits of the drawing, MCP_RATE_LIMIT_*, or those of the service",
  },
  timeout: {
    means: "the call took longer than its tool may",
    remedy: "ask for less; look at the load of the service",
  },
  too_large: { means: "the service sent more than is read", remedy: "ask for less" },
  upstream_unavailable: {
    means: "the service cannot be reached, or something else answers at its address",
    remedy: "is it up, does its name resolve, does the network policy let the server there (docs/ACCESS.md)",
  },
  write_disabled: { means: "the write flag is off", remedy: "see above, if it should be on" },
};

/** `reason` of an audit row, for what never reached a tool. */
const REASONS: Readonly<Record<ApprovalReason | DoorReason | HiddenReason, Turned>> = {
  args_sha_mismatch: {
    seen: "409",
    means: "what is to be executed is not what was proposed",
    remedy: "execute by proposal_id and the argsSha of the proposal",
  },
  execution_unknown: {
    seen: "409",
    means: "the server ended while it executed the proposal: the write happened or not",
    remedy: "look at the service, by the marker where it keeps one; then propose again if need be",
  },
  not_an_approver: {
    seen: "403",
    means: "an admin who is not among the approvers that were drawn",
    remedy: "ask one of them; docs/ACCESS.md lists them",
  },
  not_approved: { seen: "409", means: "nobody has approved the proposal yet", remedy: "approve it first" },
  not_open: { seen: "409", means: "the proposal was decided about already", remedy: "list the proposals" },
  proposal_expired: {
    seen: "410",
    means: "nobody executed the proposal in time",
    remedy: "propose again; access.approvals.ttl says how long one waits",
  },
  proposal_rejected: { seen: "409", means: "an approver said no", remedy: "ask why" },
  proposer_gone: {
    seen: "403",
    means: "the key of whoever proposed is no longer accepted",
    remedy: "nothing; somebody else proposes it, if it is still wanted",
  },
  role_not_allowed: {
    seen: "403",
    means: "only an admin approves and executes, and an auditor proposes nothing",
    remedy: "the role of the key in keys.json",
  },
  stale_proposal: {
    seen: "409",
    means: "the policy or the tool changed since the proposal was made",
    remedy: "propose again",
  },
  two_person: {
    seen: "403",
    means: "whoever proposed cannot approve",
    remedy: "another person with a key of their own",
  },
  unknown_proposal: { seen: "404", means: "there is no such proposal", remedy: "list the proposals" },
  unknown_tenant: { seen: "404", means: "tenant names another stack", remedy: "ask that stack's server" },
  agent_dispatch_disabled: {
    seen: "403",
    means: "somebody switched off whatever agents do",
    remedy: "see Stop everything at once",
  },
  body_too_large: {
    seen: "413",
    means: "the request is larger than is read",
    remedy: "a well-behaved client never sends so much: find out who it is",
  },
  "feature-disabled": {
    seen: "503",
    means: "somebody switched the server off",
    remedy: "see Stop everything at once",
  },
  grant_without_trust: {
    seen: "Unknown tool",
    means: "the caller's grant names no trust",
    remedy: "write maxTrust on the grant and generate",
  },
  host_not_allowed: {
    seen: "403 Forbidden",
    means: "the Host header is neither a loopback name nor in MCP_ALLOWED_HOSTS",
    remedy:
      "a page that rebinds its name, a probe without Host: localhost, or a new host name that is not drawn",
  },
  method_not_allowed: {
    seen: "405",
    means: "the path does not answer this method",
    remedy: "the client is no MCP client, or the gateway rewrites requests",
  },
  missing_client_certificate: {
    seen: "401 Unauthorised",
    means: "TLS_CLIENT_CA_FILE is set, and the client showed no certificate of that authority",
    remedy: "give the client one, beside its key",
  },
  missing_identity: {
    seen: "Unknown tool",
    means: "a key that speaks for others named nobody",
    remedy: "the gateway in front must send X-MCP-Human-ID, X-MCP-Agent-ID or X-MCP-Team-ID",
  },
  missing_session: {
    seen: "Unknown tool",
    means: "a key that speaks for others named no session",
    remedy: "the gateway in front must send X-MCP-Agent-Session",
  },
  no_matching_grant: {
    seen: "Unknown tool",
    means: "no grant is for this caller",
    remedy: "compare who the key stands for with access.grants; docs/ACCESS.md has the columns",
  },
  no_such_route: {
    seen: "404",
    means: "no such path is answered",
    remedy: "the address in the client, or the gateway's path",
  },
  origin_not_allowed: {
    seen: "403 Forbidden",
    means: "a browser page that is not in MCP_ALLOWED_ORIGINS",
    remedy: "list it only if people should use AI from that page",
  },
  policy_unavailable: {
    seen: "Unknown tool",
    means: "there has been no valid governance/policy.json since the start",
    remedy: "/config/status says why; generate again and apply everything",
  },
  protocol_error: {
    seen: "400, 404 or 406",
    means: "the protocol library turned it away: session, Accept header or revision",
    remedy: "the client opens a new session; curl needs Accept: application/json, text/event-stream",
  },
  rpc_inspection_failed: {
    seen: "400 or 415",
    means: "not JSON, too deep, or not JSON-RPC",
    remedy: "the client, or something in between that changes bodies",
  },
  rule_denied: {
    seen: "Unknown tool",
    means: "a rule forbids the tool whatever its arguments; the row names it",
    remedy: "nothing is broken; docs/RULES.md says why",
  },
  session_expired: {
    seen: "Unknown tool",
    means: "the day on which the caller's grant ends has come",
    remedy: "write a later expires on the grant, if it is to go on",
  },
  session_not_found: {
    seen: "Unknown tool",
    means: "the session that was named is not this caller's",
    remedy: "the gateway in front; sessions are those of governance/policy.json",
  },
  session_revoked: {
    seen: "Unknown tool",
    means: "somebody revoked the caller's session",
    remedy: "nothing, unless it was a mistake",
  },
  shutting_down: { seen: "503", means: "the pod is stopping", remedy: "the next pod answers" },
  side_effect_not_allowed: {
    seen: "Unknown tool",
    means: "the caller's grant does not reach to writes of this kind",
    remedy: "a higher maxTrust on the grant, if that is meant",
  },
  tool_denied: {
    seen: "Unknown tool",
    means: "the caller's grant denies this tool",
    remedy: "tools.deny of the grant",
  },
  tool_not_allowed: {
    seen: "Unknown tool",
    means: "the drawing does not list such a tool",
    remedy: "a stale client lists tools again; else draw the link",
  },
  tool_not_granted: {
    seen: "Unknown tool",
    means: "the caller's grant lists tools, and not this one",
    remedy: "tools.allow of the grant",
  },
  tool_side_effect_unknown: {
    seen: "Unknown tool",
    means: "the policy does not know the tool: code and policy are not of one generation",
    remedy: "topogate generate --check, then apply everything",
  },
  trust_too_low: {
    seen: "Unknown tool",
    means: "the tool needs more trust than grant, session and role come to",
    remedy: "maxTrust of the grant, access.trust of the tool, the role of the key",
  },
  unauthenticated: {
    seen: "401 Unauthorised",
    means: "no key, an unknown key, or two keys at once",
    remedy: "an old key after a rotation; many rows from one place are an attack",
  },
  write_disabled: {
    seen: "Unknown tool",
    means: "a write tool whose flag is off",
    remedy: "the client lists tools again; see above, if the flag should be on",
  },
};

interface StartFailure extends Explained {
  /** How the line goes on after `cannot start:`. */
  readonly line: string;
}

/** Why a server does not start, in the words that it says it with. */
const START_FAILURES: readonly StartFailure[] = [
  {
    line: "MCP_API_KEY is not set",
    means: "the Secret has no key, or is not there",
    remedy: "see the Secret",
  },
  {
    line: "MCP_API_KEY must hold 32 random bytes",
    means: "a short key, a placeholder or a word",
    remedy: "make one as under Revoke a key",
  },
  {
    line: "is true, but the drawing gives this link read access only",
    means: "somebody set a write flag whose code is not there",
    remedy: "unset it, or draw the link with write and generate",
  },
  {
    line: "must be true or false",
    means: "a write flag with another value",
    remedy: "only true, True, TRUE, false, False and FALSE are read",
  },
  {
    line: "surface.lock.json",
    means: "code and lock are not of one generation, or one was edited",
    remedy: "topogate generate --check, then apply everything",
  },
  {
    line: "MCP_AUDIT_FILE cannot be opened",
    means: "no such folder, or it cannot be written",
    remedy: "mount a writable volume there; the root file system is read-only",
  },
  {
    line: "records are missing",
    means: "the audit file ends before its last anchor: somebody cut it, or an old copy was restored",
    remedy: "keep the file and its .anchor for whoever looks into it, and name a new one",
  },
  {
    line: "MCP_AUDIT_KEY_FILE cannot be read",
    means: "the key that signs anchors is not mounted, or is no private key in PEM",
    remedy: "mount it; openssl genpkey -algorithm ed25519 makes one",
  },
  {
    line: "must be a whole number",
    means: "a variable of the ConfigMap, named in the line",
    remedy: "correct it; the line says what it may be",
  },
  {
    line: "EADDRINUSE",
    means: "another process has the port",
    remedy: "MCP_PORT; in the cluster, a second container of the pod",
  },
];

const byName = <T extends Explained>(rows: Readonly<Record<string, T>>): readonly (T & { name: string })[] =>
  Object.entries(rows)
    .map(([name, row]) => ({ name, ...row }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

type GitOps = Topology["server"]["gitops"];

/** What applies the output, and how it is held back while a person does something by hand. */
interface Controller {
  readonly controller: string;
  readonly suspend: string;
  readonly resume: string;
  /** Shows why the Secret is not there, or makes it. */
  readonly secretCommand: string;
}

function controllerOf(gitops: GitOps, service: string, folder: string): Controller {
  const controllers: Readonly<Record<GitOps, Controller>> = {
    flux: {
      controller: `Flux, Kustomization ${service}`,
      suspend: `flux suspend kustomization ${service}`,
      resume: `flux resume kustomization ${service}`,
      secretCommand: `flux get kustomization ${service}`,
    },
    argocd: {
      controller: `Argo CD, Application ${service}`,
      suspend: `argocd app set ${service} --sync-policy none`,
      resume: `argocd app set ${service} --sync-policy automated`,
      secretCommand: `argocd app get ${service}`,
    },
    none: {
      controller: "a person, with the commands below",
      suspend: "",
      resume: "",
      secretCommand: `sops decrypt ${folder}/k8s/secret.sops.yaml | kubectl apply -f -`,
    },
  };
  return controllers[gitops];
}

type Own = ReturnType<(typeof credentialsHook)["derive"]>["own"][number];

/** Where a value comes from that is not sealed; `null` for one that is. */
function elsewhere(source: Own["source"] | undefined): string | null {
  if (source?.from === "k8s") return `the Secret ${source.secret} in ${source.namespace}, key ${source.key}`;
  return source?.from === "external" ? `${source.store}, entry ${source.key}` : null;
}

/** Longest key that is shown whole; those that resist quantum computers have two thousand characters. */
const LONGEST_KEY = 80;

export interface RunbookParts {
  readonly topology: Topology;
  readonly address: ReturnType<(typeof serverAddressHook)["derive"]>;
  readonly key: Own | undefined;
  readonly gates: readonly WriteGate[];
  readonly folder: string;
  readonly oauth: ReturnType<(typeof oauthHook)["derive"]>;
  /** Where replicas keep the heads of their audit chains; `null` where they share nothing. */
  readonly stateHeads: string | null;
}

/** What the runbook says of one stack, real names filled in. */
export function runbookView(parts: RunbookParts): object {
  const { topology, address, key, gates, folder, oauth, stateHeads } = parts;
  const { gitops, recipients, replicas } = topology.server;
  const { service, namespace, url, keyGateway } = address;
  const drawnGates = gates.filter(({ drawn }) => drawn);
  const keySource = elsewhere(key?.source);
  return {
    service,
    namespace,
    secret: `${service}-credentials`,
    folder,
    ...controllerOf(gitops, service, folder),
    generate: `topogate generate ${topology.stack}${topology.environment === null ? "" : ` --env ${topology.environment}`}`,
    isBase: topology.environment === null,
    hasAgent: topology.mcpLinks.some(({ component }) => component.type === "stack_agent"),
    agent: service.replace(/-mcp$/, "-agent"),
    replicas,
    stateHeads,
    keyGateway,
    isKeySealed: keySource === null,
    keySource,
    url: url ?? "http://localhost:8080/mcp",
    gates: drawnGates.map(({ flag, tools }) => ({ flag, tools: tools.join(", ") })),
    drawnGates,
    hasGates: drawnGates.length > 0,
    recipients: recipients.map((each) =>
      each.length > LONGEST_KEY ? `${each.slice(0, LONGEST_KEY)}...` : each,
    ),
    anchorEvery: ANCHOR_EVERY,
    startFailures: START_FAILURES,
    faults: byName(FAULTS),
    reasons: byName(oauth === null ? REASONS : { ...REASONS, ...TOKEN_REASONS }),
    tokens: tokensView(oauth),
    takesKeys: oauth?.takesKeys ?? true,
    isArgo: gitops === "argocd",
  };
}
