import type { ComponentData, ReachData, SubComponentData } from "#runtime/stack-agent/topology-data";
import type { Secret } from "#runtime/settings";
import type { LinkRule } from "./rules.ts";

/** `undefined` for a name that the account does not have; a secret without a value is there, but empty. */
export type AccountValue =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "secret"; readonly secret: Secret | undefined }
  | undefined;

/** A component that a row is about, or its end at the other side of a link, as a command may use it. */
export interface Place {
  readonly component: ComponentData;
  readonly sub: SubComponentData | null;
  /** What the MCP server's own link reaches there; `null` when there is no such link, or it stops before. */
  readonly reach: ReachData | null;
  /** The rules of that link; `null` with `reach`, and for a type that has no commands. */
  readonly link: LinkRule | null;
  /** As the link's settings say, else as drawn. */
  readonly host: string | null;
  readonly port: number | null;
  /** The link's own account. */
  readonly username: string | null;
  /** A variable of the link's own account; a secret stays wrapped. */
  account(name: string): AccountValue;
  /** Values of the link's settings by the variables that a program knows them under; unset ones are left out. */
  settings(names: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
}

/** `cnpg/app_db`, as the drawing writes it. */
export function placeName({ component, sub }: Place): string {
  return sub === null ? component.name : `${component.name}/${sub.name}`;
}

/** What the service itself calls a sub-component: its attribute named like its kind, else its name. */
function nameOnService(sub: SubComponentData): string {
  const written = Object.hasOwn(sub.attributes, sub.kind) ? sub.attributes[sub.kind] : undefined;
  return typeof written === "string" && written !== "" ? written : sub.name;
}

/** The names that a command may use for what the link reaches: the row's own, else every drawn one. */
export function scopeOf({ component, sub, reach }: Place): readonly string[] {
  if (sub !== null) return [nameOnService(sub)];
  const targets = reach?.targets ?? [];
  return component.subs
    .filter(({ name, kind }) => targets.some((target) => target.name === name && target.kind === kind))
    .map(nameOnService);
}

/** The component's port, or the one in the named attribute; empty where there is none. */
export function portOf(place: Place, attribute: string | undefined): string {
  const value = attribute === undefined ? place.port : place.component.attributes[attribute];
  return String(value ?? "");
}
