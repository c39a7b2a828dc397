import { entryOf, refuse } from "#runtime/call";
import type { Stage } from "#runtime/call";
import type { Audit } from "#runtime/audit";

/** A write that cannot be accounted for does not happen. */
export function auditAttempt(audit: Audit): Stage {
  return async (call, next) => {
    const { writes, tool } = entryOf(call);
    if (writes || tool.mayWrite === true) {
      try {
        await audit.attempt(call.exchange.id, call.exchange.facts());
      } catch {
        return refuse({
          code: "audit_unavailable",
          message: "the call was not executed because it could not be recorded",
          hint: "tell the operator that the audit cannot be written",
        });
      }
    }
    return await next(call);
  };
}
