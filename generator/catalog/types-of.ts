import type { ComponentType } from "./contract.ts";

function isComponentType(value: unknown): value is ComponentType {
  return typeof value === "object" && value !== null && "type" in value && "mcp" in value;
}

/** The component types that a `component.ts` exports: alone or in lists, beside whatever else it needs. */
export function typesOf(exports: Readonly<Record<string, unknown>>): readonly ComponentType[] {
  return [...new Set(Object.values(exports).flat().filter(isComponentType))];
}
