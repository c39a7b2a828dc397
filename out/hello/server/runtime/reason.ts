import type { FaultCode } from "#runtime/fault";

/** Why a token did not let its bearer in. */
export type TokenReason =
  | "insufficient_scope"
  | "issuer_unavailable"
  | "token_audience"
  | "token_claims"
  | "token_expired"
  | "token_issuer"
  | "token_malformed"
  | "token_not_yet_valid"
  | "token_signature";

/** Why a request was turned away before a tool was asked. The caller sees a status; the audit has the word. */
export type DoorReason =
  | "body_too_large"
  | "host_not_allowed"
  | "method_not_allowed"
  | "missing_client_certificate"
  | "no_such_route"
  | "origin_not_allowed"
  | "protocol_error"
  | "rpc_inspection_failed"
  | "shutting_down"
  | "unauthenticated";

/** What was switched off for everybody. */
export type SwitchReason = "agent_dispatch_disabled" | "feature-disabled";

/** What the policy has against a call, in the words of mcp-runtime. */
export type PolicyReason =
  | "grant_without_trust"
  | "missing_identity"
  | "missing_session"
  | "no_matching_grant"
  | "policy_unavailable"
  | "session_expired"
  | "session_not_found"
  | "session_revoked"
  | "side_effect_not_allowed"
  | "tool_denied"
  | "tool_not_granted"
  | "tool_side_effect_unknown"
  | "trust_too_low";

/** What stands in the way of a proposal; the approval routes say it. */
export type ApprovalReason =
  | "args_sha_mismatch"
  | "execution_unknown"
  | "not_an_approver"
  | "not_approved"
  | "not_open"
  | "proposal_expired"
  | "proposal_rejected"
  | "proposer_gone"
  | "role_not_allowed"
  | "stale_proposal"
  | "two_person"
  | "unknown_proposal"
  | "unknown_tenant";

/** Why a tool is unknown to a caller, who is told neither this nor whether the tool exists. */
export type HiddenReason =
  | PolicyReason
  | SwitchReason
  | "rule_denied"
  | "tool_not_allowed"
  | "unauthenticated"
  | "write_disabled";

/** The `reason` of an audit row. The set is closed so that the runbook can explain all of it. */
export type Reason = "allowed" | ApprovalReason | DoorReason | HiddenReason | TokenReason | FaultCode;
