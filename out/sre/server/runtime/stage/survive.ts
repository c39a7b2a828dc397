import { fail } from "#runtime/call/call";
import type { Stage } from "#runtime/call/call";
import { ToolFault } from "#runtime/fault";
import { internalFault } from "#runtime/call/internal-fault";
import type { Redactor } from "#runtime/redactor";

/** Makes a fault of everything that the stages below did not expect, so that the caller always gets an answer. */
export function survive(redactor: Redactor): Stage {
  return async (call, next) => {
    try {
      return await next(call);
    } catch (thrown) {
      if (thrown instanceof ToolFault) {
        const { code, message, hint } = thrown;
        return fail({ code, message, ...(hint === undefined ? {} : { hint }) });
      }
      return internalFault(call, thrown, redactor);
    }
  };
}
