import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createForwarder } from "#runtime/http/forwarder";
import type { ForwardCounts } from "#runtime/http/forwarder";
import type { Proposal } from "#runtime/approval/proposal";
import type { ProposalChange } from "#runtime/approval/watched";
import { httpUrl } from "#runtime/server-settings";
import type { Environment } from "#runtime/settings";

/** Tells somebody's chat or ticket system that a proposal waits, and how it was decided about. */
export interface ApprovalWebhook {
  tell(change: ProposalChange, proposal: Proposal): void;
  counts(): ForwardCounts;
  close(): Promise<void>;
}

const ATTEMPTS = 6;
const MOST_WAITING = 1_000;
const TOLD: ReadonlySet<ProposalChange> = new Set(["proposed", "approved", "rejected"]);

/** `t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`, so that an old message can be told from a new one. */
export function signatureOf(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/** What waits and until when; never an argument, a preview or a person. */
function messageOf(
  stack: string,
  approvalUrl: URL | undefined,
  state: ProposalChange,
  { proposal_id, provider, tool, expires_at }: Proposal,
): string {
  const url = approvalUrl?.href ?? null;
  return JSON.stringify({
    v: 1,
    event: "mcp.approval",
    stack,
    state,
    proposal_id,
    provider,
    tool,
    expires_at,
    approval_url: url,
  });
}

/** `undefined` where nobody is to be told. Throws a StartError for an address that is none. */
export function openApprovalWebhook(stack: string, environment: Environment): ApprovalWebhook | undefined {
  const url = httpUrl(environment, "MCP_APPROVAL_WEBHOOK_URL");
  const approvalUrl = httpUrl(environment, "MCP_APPROVAL_PAGE_URL");
  const secretFile = environment["MCP_APPROVAL_WEBHOOK_SECRET_FILE"] || undefined;
  if (url === undefined) return undefined;
  const forwarder = createForwarder({
    url,
    headersFor: async (body): Promise<Readonly<Record<string, string>>> => {
      if (secretFile === undefined) return {};
      const secret = (await readFile(secretFile, "utf8")).trim();
      if (secret === "") throw new Error("the secret of the webhook is empty");
      return { "x-mcp-signature": signatureOf(secret, body, Math.floor(Date.now() / 1_000)) };
    },
    complaint: (lost) => `approvals: ${lost} messages of the webhook could not be delivered so far`,
    attempts: ATTEMPTS,
    mostWaiting: MOST_WAITING,
  });
  return {
    tell: (change, proposal) => {
      if (TOLD.has(change)) forwarder.send(messageOf(stack, approvalUrl, change, proposal));
    },
    counts: forwarder.counts,
    close: forwarder.close,
  };
}
