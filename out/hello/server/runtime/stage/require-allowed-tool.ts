import type { Stage } from "#runtime/call/call";

/** What the drawing does not list does not exist, even if its code does. */
export const requireAllowedTool: Stage = async (call, next) =>
  call.entry?.allowed === undefined ? { kind: "unknown", reason: "tool_not_allowed" } : await next(call);
