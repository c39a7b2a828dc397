import { entryOf, refuse } from "#runtime/call/call";
import type { Call, Outcome, Stage } from "#runtime/call/call";
import type { Audit } from "#runtime/audit/audit";

/** Puts on the disk that the call is about to change something; a refusal when it cannot be. */
export async function recordAttempt(audit: Audit, { exchange }: Call): Promise<Outcome | undefined> {
  try {
    await audit.attempt(exchange.id, exchange.facts());
    return undefined;
  } catch {
    return refuse({
      code: "audit_unavailable",
      message: "the call was not executed because it could not be recorded",
      hint: "tell the operator that the audit cannot be written",
    });
  }
}

/** A write that cannot be accounted for does not happen. */
export function auditAttempt(audit: Audit): Stage {
  return async (call, next) => {
    const { writes, tool } = entryOf(call);
    const refused = writes || tool.mayWrite === true ? await recordAttempt(audit, call) : undefined;
    return refused ?? (await next(call));
  };
}
