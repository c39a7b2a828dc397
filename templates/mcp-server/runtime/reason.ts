import type { FaultCode } from "#runtime/fault";

/** Why a request was turned away before a tool was asked. The caller sees a status; the audit has the word. */
export type DoorReason =
  | "body_too_large"
  | "host_not_allowed"
  | "method_not_allowed"
  | "no_such_route"
  | "origin_not_allowed"
  | "protocol_error"
  | "rpc_inspection_failed"
  | "shutting_down"
  | "unauthenticated";

/** Why a tool is unknown to a caller, who is told neither this nor whether the tool exists. */
export type HiddenReason = "rule_denied" | "tool_not_allowed" | "unauthenticated" | "write_disabled";

/** The `reason` of an audit row. The set is closed so that the runbook can explain all of it. */
export type Reason = "allowed" | DoorReason | HiddenReason | FaultCode;
