import { entryOf, refuse } from "#runtime/call";
import type { Arguments, Stage } from "#runtime/call";
import type { Access, AllowedTool } from "#runtime/registry";

const NARROWEST_FIRST: readonly Access[] = ["read", "propose", "write"];

/** The access of the targets that the arguments name; the narrowest when they name several, or none. */
export function accessOf(allowed: AllowedTool, args: Arguments): Access {
  const { target } = allowed;
  if (target === undefined) return allowed.access;
  const given = args[target.parameter];
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const words = names.map((name) =>
    typeof name === "string" && Object.hasOwn(target.access, name) ? target.access[name] : "read",
  );
  return NARROWEST_FIRST.find((word) => words.includes(word)) ?? "read";
}

/**
 * A write whose target was drawn with `propose` waits for a person, whatever the flags say. Nothing has been
 * executed when this answers.
 */
export function requireApproval(approvalForWrites: boolean): Stage {
  return async (call, next) => {
    const { writes, allowed, tool } = entryOf(call);
    if (!writes && call.mustApprove === undefined) return await next(call);
    const access = allowed === undefined ? "read" : accessOf(allowed, call.args);
    if (writes && access === "read") {
      return refuse({
        code: "denied",
        message: `${tool.name} may not change this target`,
        hint: "it was drawn for reading",
      });
    }
    if (access === "write" && !approvalForWrites && call.mustApprove === undefined) return await next(call);
    return refuse({
      code: "approval_required",
      message: `${tool.name} needs a person's approval; nothing was executed`,
      hint: "ask an approver of this stack",
    });
  };
}
