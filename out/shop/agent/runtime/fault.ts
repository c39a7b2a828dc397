/** Every way a tool call can fail on purpose. The set is closed so that a client can branch on it. */
export const FAULT_CODES = [
  "approval_required",
  "audit_unavailable",
  "busy",
  "cancelled",
  "change_ref_required",
  "command_mode_off",
  "denied",
  "gitops_required",
  "internal",
  "invalid_argument",
  "not_found",
  "not_linked",
  "outside_change_window",
  "policy_unavailable",
  "rate_limited",
  "timeout",
  "too_large",
  "upstream_unavailable",
  "write_disabled",
] as const;
export type FaultCode = (typeof FAULT_CODES)[number];

/**
 * A failure that the caller may see: `message` and `hint` reach the AI client, after redaction.
 *
 * Never put a host, a user name, a stack or a credential into either; `cause` stays in the process.
 */
export class ToolFault extends Error {
  readonly code: FaultCode;
  readonly hint: string | undefined;

  constructor(code: FaultCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "ToolFault";
    this.code = code;
    this.hint = options.hint;
  }
}
