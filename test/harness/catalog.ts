import { existsSync, readdirSync } from "node:fs";
import type { ComponentType } from "../../generator/catalog/contract.ts";
import { typesOf } from "../../generator/catalog/types-of.ts";

const TEMPLATES = new URL("../../templates/", import.meta.url);

/** The component types of the repository, found as the build finds them, without building anything. */
export async function repositoryTypes(): Promise<ReadonlyMap<string, ComponentType>> {
  const types = new Map<string, ComponentType>();
  for (const folder of readdirSync(TEMPLATES).sort()) {
    const file = new URL(`${folder}/component.ts`, TEMPLATES);
    if (!existsSync(file)) continue;
    const exports = (await import(file.href)) as Readonly<Record<string, unknown>>;
    for (const type of typesOf(exports)) types.set(type.type, type);
  }
  return types;
}
