import type { ComponentType } from "../catalog/contract.ts";

/** The component whose links give tools to AI. */
export const SERVER = "mcp";

/** The types that exist without being drawn, by the name they have. */
export function builtinsOf(types: ReadonlyMap<string, ComponentType>): ReadonlyMap<string, ComponentType> {
  const builtins = new Map<string, ComponentType>();
  for (const type of types.values()) if (type.builtin !== undefined) builtins.set(type.builtin, type);
  return builtins;
}
