/** What an operator is told about refusals. A code or a reason of the runtime that is missing here does not compile. */
import type { Topology } from "#hook";
import { ANCHOR_EVERY } from "#runtime/audit-record";
import type { FaultCode } from "#runtime/fault";
import type { DoorReason, HiddenReason } from "#runtime/reason";
import type credentialsHook from "../../hooks/credentials.ts";
import type serverAddressHook from "../../hooks/server-address.ts";
import type { WriteGate } from "../../hooks/write-gates.ts";

interface Explained {
  readonly means: string;
  readonly remedy: string;
}

/** `code` of an answer with `isError`, by name. */
const FAULTS: Readonly<Record<FaultCode, Explained>> = {
  approval_required: {
    means: "the link is drawn with propose, or MCP_APPROVAL_MODE=required; nothing was executed",
    remedy: "ask an approver; this release has no way to approve yet",
  },
  audit_unavailable: {
    means: "a write was not executed, because it could not be recorded first",
    remedy: "free or mount the disk of MCP_AUDIT_FILE; reads go on",
  },
  busy: {
    means: "4 calls to this service are running and 16 wait",
    remedy: "call again; when it lasts, the service is slow, not the server",
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
  rate_limited: { means: "the service asked for fewer calls", remedy: "wait; raise the limit there" },
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

interface Turned extends Explained {
  /** What the caller sees. */
  readonly seen: string;
}

/** `reason` of an audit row, for what never reached a tool. */
const REASONS: Readonly<Record<DoorReason | HiddenReason, Turned>> = {
  body_too_large: {
    seen: "413",
    means: "the request is larger than is read",
    remedy: "a well-behaved client never sends so much: find out who it is",
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
  no_such_route: {
    seen: "404",
    means: "only /mcp, /health and /ready exist",
    remedy: "the address in the client, or the gateway's path",
  },
  origin_not_allowed: {
    seen: "403 Forbidden",
    means: "a browser page that is not in MCP_ALLOWED_ORIGINS",
    remedy: "list it only if people should use AI from that page",
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
  shutting_down: { seen: "503", means: "the pod is stopping", remedy: "the next pod answers" },
  tool_not_allowed: {
    seen: "Unknown tool",
    means: "the drawing does not list such a tool",
    remedy: "a stale client lists tools again; else draw the link",
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
}

/** What the runbook says of one stack, real names filled in. */
export function runbookView({ topology, address, key, gates, folder }: RunbookParts): object {
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
    reasons: byName(REASONS),
    isArgo: gitops === "argocd",
  };
}
