import type { Stage } from "#runtime/call/call";

/** The front door has authenticated the caller; a call that reached this place on another way has not been. */
export const requirePrincipal: Stage = async (call, next) =>
  call.principal === undefined ? { kind: "unknown", reason: "unauthenticated" } : await next(call);
