import { ToolFault } from "#runtime/fault";
import type { AttributeTable } from "#runtime/stack-agent/topology-data";
import type { Place } from "./place.ts";
import { CommandRefused } from "./refused.ts";

/** What a type's folder exports to judge the queries of its programs; it rejects with a ToolFault. */
interface GuardModule {
  guardCommand(text: string, attributes: AttributeTable): Promise<void>;
}

/**
 * Asks the function of the type's folder that the list names: `postgresql/command-guard`. It is emitted with the
 * link, so a server without that link does not hold it and never asks for it.
 */
export async function demandQuery(guard: string, text: string, place: Place): Promise<void> {
  const specifier = `#runtime/${guard}`;
  const { guardCommand } = (await import(/* @vite-ignore */ specifier)) as GuardModule;
  try {
    await guardCommand(text, place.sub?.attributes ?? {});
  } catch (error) {
    if (error instanceof ToolFault) throw new CommandRefused("value", error.message, error.hint);
    throw error;
  }
}
