import { readWriteFlags } from "#runtime/write-flags";
import type { Place } from "./place.ts";
import type { SettingsOf } from "./places.ts";
import { CommandRefused } from "./refused.ts";

export interface WriteGate {
  readonly settings: SettingsOf;
  readonly approvalForWrites: boolean;
  /** False for a caller that only reads, whatever the gate says. */
  readonly mayWrite: boolean;
}

/**
 * A command that writes stands for a write tool and passes the same gate: drawn with write, the tool kept, the
 * flag on, and nobody's approval asked for. Throws a CommandRefused.
 */
export function demandWrite(tool: string, { link, component }: Place, gate: WriteGate): void {
  if (!gate.mayWrite) throw new CommandRefused("write_disabled", "this call only reads", "use run_test");
  const name = link !== null && Object.hasOwn(link.writes, tool) ? link.writes[tool] : undefined;
  if (link === null || link.access === "read" || name === undefined) {
    throw new CommandRefused("write_disabled", `${component.name} was not drawn for this write`);
  }
  const flag = `${link.env}_WRITE_ACCESS`;
  const value = gate.settings(link.env).text("WRITE_ACCESS", "false");
  if (!readWriteFlags({ [flag]: true }, { [flag]: value }).has(flag)) {
    throw new CommandRefused("write_disabled", `writing to ${component.name} is switched off`);
  }
  if (link.access === "propose" || gate.approvalForWrites) {
    throw new CommandRefused(
      "approval_required",
      "a command that writes needs a person's approval",
      `use ${name}`,
    );
  }
}
