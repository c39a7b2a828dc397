import { ToolFault } from "#runtime/fault";
import type { FaultCode } from "#runtime/fault";

/** Why a command does not run. The set is closed, so that a client can branch on it. */
export type Reason =
  /** Not in the grammar. */
  | "syntax"
  /** A program, flag, operand or environment variable that no list of the component's type holds. */
  | "not_allowed"
  /** In place of a variable stands a value that may not be there. */
  | "value"
  /** A secret stands where it could be seen. */
  | "secret_place"
  /** A variable that means nothing for this row. */
  | "unresolved"
  | "not_linked"
  | "write_disabled"
  | "approval_required"
  | "mode"
  | "not_installed"
  | "busy";

const CODES: Readonly<Record<Reason, FaultCode>> = {
  syntax: "invalid_argument",
  not_allowed: "denied",
  value: "denied",
  secret_place: "denied",
  unresolved: "invalid_argument",
  not_linked: "not_linked",
  write_disabled: "write_disabled",
  approval_required: "approval_required",
  mode: "command_mode_off",
  not_installed: "upstream_unavailable",
  busy: "busy",
};

/** A command that was not run, and nothing of it: every refusal comes before the first process. */
export class CommandRefused extends ToolFault {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, hint?: string) {
    super(CODES[reason], message, hint === undefined ? {} : { hint });
    this.name = "CommandRefused";
    this.reason = reason;
  }
}
