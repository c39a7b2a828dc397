import { entryOf } from "#runtime/call/call";
import type { Stage } from "#runtime/call/call";
import type { ToolEntry } from "#runtime/surface/tool-index";
import type { WriteFlags } from "#runtime/write-flags";

/** A read tool, or a write tool whose flag is on; `flags` holds only what the drawing permits. */
export function passesWriteGate(entry: ToolEntry, flags: WriteFlags): boolean {
  const flag = entry.allowed?.flag ?? null;
  return !entry.writes || (flag !== null && flags.has(flag));
}

/** The second lock of the write gate, at the time of the call: hiding a tool from the list protects nothing. */
export function requireWriteFlag(flags: WriteFlags): Stage {
  return async (call, next) =>
    passesWriteGate(entryOf(call), flags) ? await next(call) : { kind: "unknown", reason: "write_disabled" };
}
