import type { Call, Outcome } from "#runtime/call/call";
import type { Exchange } from "#runtime/call/exchange";
import { ToolFault } from "#runtime/fault";
import { executeProposal } from "#runtime/approval/execute";
import type { ExecutionParts, ExecutionRequest } from "#runtime/approval/execute";
import type { Principal } from "#runtime/identity/identity";
import { shown } from "#runtime/approval/proposal";
import { ApprovalRefusal, refuseApproval } from "#runtime/approval/proposals";
import type { ApprovalReason } from "#runtime/reason";

/** One request to `/api/mcp/...`, from somebody who is known. */
export interface ApprovalRequest {
  readonly path: string;
  /** What follows the question mark. */
  readonly search: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly by: Principal;
  readonly exchange: Exchange;
  readonly signal: AbortSignal;
}
export interface ApprovalReply {
  readonly status: number;
  readonly body: object;
}
export type ApprovalRoutes = (request: ApprovalRequest) => Promise<ApprovalReply>;

/** The method of each path. */
export const APPROVAL_METHODS: Readonly<Record<string, readonly string[]>> = {
  "/api/mcp/proposals": ["GET"],
  "/api/mcp/propose": ["POST"],
  "/api/mcp/approve": ["POST"],
  "/api/mcp/reject": ["POST"],
  "/api/mcp/execute": ["POST"],
};

const STATUS: Readonly<Record<ApprovalReason, number>> = {
  args_sha_mismatch: 409,
  execution_unknown: 409,
  not_an_approver: 403,
  not_approved: 409,
  not_open: 409,
  proposal_expired: 410,
  proposal_rejected: 409,
  proposer_gone: 403,
  role_not_allowed: 403,
  stale_proposal: 409,
  two_person: 403,
  unknown_proposal: 404,
  unknown_tenant: 404,
};

export interface ApprovalRouteParts extends ExecutionParts {
  readonly stack: string;
}

type Members = Readonly<Record<string, unknown>>;

function textIn(body: Members, name: string): string | undefined {
  const value = body[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function argumentsIn({ args }: Members): Members | undefined {
  return typeof args === "object" && args !== null && !Array.isArray(args) ? (args as Members) : undefined;
}

function malformed(what: string): ApprovalReply {
  return { status: 400, body: { error: "invalid_argument", message: `the body needs ${what}` } };
}

/** The caller is told no more than a client of the protocol: a tool that is out of reach is none. */
function refusal(outcome: Outcome): ApprovalReply {
  if (outcome.kind === "unknown") return { status: 403, body: { error: "tool_not_allowed" } };
  if (outcome.kind === "result") throw new Error("a result is no refusal");
  const { code, ...rest } = outcome.fault;
  const status = { denied: 403, invalid_argument: 400, rate_limited: 429 }[code as string] ?? 503;
  return { status, body: { error: code, ...rest } };
}

async function propose(parts: ApprovalRouteParts, request: ApprovalRequest): Promise<ApprovalReply> {
  const { body, by, exchange, signal } = request;
  const [provider, name, args] = [textIn(body, "provider"), textIn(body, "tool"), argumentsIn(body)];
  if (provider === undefined || name === undefined || args === undefined)
    return malformed("provider, tool and args");
  if (by.role === "auditor") refuseApproval("role_not_allowed");
  const found = parts.tools.find(name);
  const entry = found?.link.component === provider ? found : undefined;
  const call: Call = { exchange, principal: by, name, entry, args, signal, intent: "propose" };
  const outcome = await exchange.during(async () => await parts.pipeline(call));
  const id = outcome.kind === "fault" ? outcome.fault.proposal_id : undefined;
  const proposal = id === undefined ? undefined : await parts.proposals.store.get(id);
  if (proposal === undefined) return refusal(outcome);
  exchange.note({ decision: "allow", reason: "allowed", ok: true });
  return { status: 200, body: shown(proposal, Date.now()) };
}

async function decide(
  parts: ApprovalRouteParts,
  { path, body, by, exchange }: ApprovalRequest,
): Promise<ApprovalReply> {
  const id = textIn(body, "proposal_id");
  if (id === undefined) return malformed("proposal_id");
  const state = path.endsWith("/approve") ? "approved" : "rejected";
  const proposal = await parts.proposals.decide(id, by, state);
  exchange.note({ tool: proposal.tool, argsSha: proposal.argsSha, proposal: id, approvedBy: by.id });
  return { status: 200, body: shown(proposal, Date.now()) };
}

async function execute(
  parts: ApprovalRouteParts,
  { body, by, exchange }: ApprovalRequest,
): Promise<ApprovalReply> {
  const argsSha = textIn(body, "argsSha");
  const [id, provider, tool, args] = [
    textIn(body, "proposal_id"),
    textIn(body, "provider"),
    textIn(body, "tool"),
    argumentsIn(body),
  ];
  const isCall = provider !== undefined && tool !== undefined && args !== undefined;
  if (argsSha === undefined || (id === undefined && !isCall))
    return malformed("argsSha, and proposal_id or provider, tool and args");
  if (tool !== undefined && parts.tools.find(tool)?.allowed === undefined) {
    exchange.note({ decision: "deny", reason: "tool_not_allowed", ok: false });
    return { status: 403, body: { error: "tool_not_allowed" } };
  }
  const ask: ExecutionRequest = {
    argsSha,
    ...(id === undefined ? {} : { proposal_id: id }),
    ...(isCall ? { provider, tool, args } : {}),
  };
  const executed = await executeProposal(parts, ask, by, exchange);
  if ("refused" in executed) return refusal(executed.refused);
  const { proposal, result, replayed } = executed;
  const { proposal_id, provider: of, tool: name, marker, approved_by } = proposal;
  return {
    status: 200,
    body: { proposal_id, provider: of, tool: name, argsSha, marker, approved_by, replayed, ...result },
  };
}

/** Everybody sees their own; who decides and who audits sees all. */
async function list({ proposals }: ApprovalRouteParts, { by }: ApprovalRequest): Promise<ApprovalReply> {
  const seesAll = by.role === "admin" || by.role === "auditor";
  const visible = (await proposals.store.all()).filter(({ proposer }) => seesAll || proposer.id === by.id);
  return { status: 200, body: { proposals: visible.map((each) => shown(each, Date.now())) } };
}

const ROUTES: Readonly<
  Record<string, (parts: ApprovalRouteParts, request: ApprovalRequest) => Promise<ApprovalReply>>
> = {
  "/api/mcp/proposals": list,
  "/api/mcp/propose": propose,
  "/api/mcp/approve": decide,
  "/api/mcp/reject": decide,
  "/api/mcp/execute": execute,
};

/** The routes on which people decide about what an AI proposed; none of them is a tool. */
export function createApprovalRoutes(parts: ApprovalRouteParts): ApprovalRoutes {
  return async (request) => {
    const { exchange, path, search } = request;
    try {
      const tenant = new URLSearchParams(search).get("tenant");
      if (tenant !== null && tenant !== parts.stack) refuseApproval("unknown_tenant");
      const route = ROUTES[path];
      if (route === undefined) throw new Error(`no route ${path}`);
      return await route(parts, request);
    } catch (problem) {
      if (problem instanceof ToolFault) {
        const { code, message } = problem;
        exchange.note({ ok: false, fault: code });
        return { status: 503, body: { error: code, message } };
      }
      if (!(problem instanceof ApprovalRefusal)) throw problem;
      exchange.note({ decision: "deny", reason: problem.reason, ok: false });
      return { status: STATUS[problem.reason], body: { error: problem.reason } };
    }
  };
}
