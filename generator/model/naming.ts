/**
 * Every name that follows from a component's key. They depend on that component alone, so adding a second
 * instance of a type never renames what the first one has.
 */
import type { ComponentType } from "../catalog/contract.ts";
import type { Component } from "./topology.ts";

type Named = Pick<Component, "name">;

/** Prefix of the tools of an `mcp` link to this component, without the `_`: `valkey`, `session_cache`. */
export function toolPrefix(component: Named, type: ComponentType): string {
  const own = type.tools?.ownPrefix ?? type.tools?.prefix;
  return component.name === type.type && own !== undefined ? own : component.name.replaceAll("-", "_");
}

/** `MCP_<SVC>`: what every environment variable of an `mcp` link to this component starts with. */
export function environmentPrefix(component: Named, type: ComponentType): string {
  const service = component.name === type.type ? type.tools?.service : undefined;
  return `MCP_${service ?? variableName(component.name)}`;
}

/** The name of a Kubernetes object: `argo_cd` becomes `argo-cd`. Two keys with one such name are an error. */
export function kubernetesName(name: string): string {
  return name.replaceAll("_", "-").replace(/-+$/, "");
}

/** The part of a variable's name that stands for a component, a sub-component or an attribute. */
function variableName(name: string): string {
  return name.replaceAll("-", "_").replaceAll(".", "_").toUpperCase();
}

/** As `variableName`, of what a service may call by any characters: the database `app-db` is `APP_DB`. */
export function variablePart(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

/** The conventional name of a secret's value: `CNPG_APP_DB_PASSWORD`. */
export function secretName(component: string, sub: string | null, attribute: string): string {
  return variableName(sub === null ? `${component}_${attribute}` : `${component}_${sub}_${attribute}`);
}

/**
 * The name that AI sees for a tool of a type's module. Names that do not start with the module's prefix
 * belong to the type as a whole and stay as they are.
 */
export function toolName(name: string, type: ComponentType, prefix: string): string {
  const { tools } = type;
  if (tools === undefined) return name;
  const own = prefix === (tools.ownPrefix ?? tools.prefix) ? tools.ownNames?.[name] : undefined;
  if (own !== undefined) return own;
  return name.startsWith(`${tools.prefix}_`) ? `${prefix}${name.slice(tools.prefix.length)}` : name;
}
