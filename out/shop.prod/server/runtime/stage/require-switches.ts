import type { Stage } from "#runtime/call/call";
import type { Switches } from "#runtime/policy/switches";

/** The front door has looked already; over stdio, and for a call that waited, this is the place. */
export function requireSwitches(switches: Switches): Stage {
  return async (call, next) => {
    const reason = switches.off();
    return reason === undefined ? await next(call) : { kind: "unknown", reason };
  };
}
