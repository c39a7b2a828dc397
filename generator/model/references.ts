import type { ComponentType } from "../catalog/contract.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import { listed, quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import type { Component, End, Path, SubComponent } from "./topology.ts";

function parsePart(text: string): { readonly kind: string | null; readonly sub: string } {
  const colon = text.indexOf(":");
  return colon < 0 ? { kind: null, sub: text } : { kind: text.slice(0, colon), sub: text.slice(colon + 1) };
}

/** Up to so many sub-components, looking through them is faster than an index. */
const FEW = 16;

type Index = ReadonlyMap<string, readonly SubComponent[]>;
const indexes = new WeakMap<Component, Index>();

function indexOf(component: Component): Index {
  let index = indexes.get(component);
  if (index === undefined) {
    const grouped = new Map<string, SubComponent[]>();
    for (const sub of component.subs) {
      const others = grouped.get(sub.name);
      if (others === undefined) grouped.set(sub.name, [sub]);
      else others.push(sub);
    }
    index = grouped;
    indexes.set(component, index);
  }
  return index;
}

/** The sub-components that share a name, at most one of each kind. */
function subsNamed(component: Component, name: string): readonly SubComponent[] {
  if (component.subs.length <= FEW) return component.subs.filter((sub) => sub.name === name);
  return indexOf(component).get(name) ?? [];
}

/** `components` holds `null` for one whose type is unknown: what refers to it fails without another message. */
export type Components = ReadonlyMap<string, Component | null>;

/** One sub-component of a component, by its name and, when that is not enough, its kind. */
export function resolveSub(
  component: Component,
  part: string,
  path: Path,
  report: Report,
): SubComponent | null {
  const { kind, sub } = parsePart(part);
  const found = subsNamed(component, sub).filter((one) => kind === null || one.kind === kind);
  if (found.length === 1) return found[0] ?? null;
  if (found.length > 1) {
    const kinds = found.map((one) => one.kind);
    const ways = kinds.map((one) => `${component.name}/${one}:${sub}`).join(" or ");
    report(
      "E-REF-AMBIGUOUS",
      `${quoted(sub)} is ${kinds.map(withArticle).join(" and ")} of "${component.name}": write ${ways}`,
      path,
    );
    return null;
  }
  const what = kind === null ? "" : `${kind} `;
  const names = component.subs.filter((one) => kind === null || one.kind === kind).map((one) => one.name);
  const drawn = names.length === 0 ? "it has none" : `it has ${listed(new Set(names))}`;
  report(
    "E-REF",
    `"${component.name}" has no ${what}${quoted(sub)}; ${drawn}.${suggestion(sub, names)}`,
    path,
  );
  return null;
}

function withArticle(word: string): string {
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
}

/** The component and sub-component that a reference names, or `null` after a report. */
export function resolveEnd(text: string, components: Components, path: Path, report: Report): End | null {
  const slash = text.indexOf("/");
  const name = slash < 0 ? text : text.slice(0, slash);
  const component = components.get(name);
  if (component === undefined) {
    report("E-REF", `no component ${quoted(name)} is drawn.${suggestion(name, components.keys())}`, path);
    return null;
  }
  if (component === null) return null;
  if (slash < 0) return { component, sub: null };
  const sub = resolveSub(component, text.slice(slash + 1), path, report);
  return sub === null ? null : { component, sub };
}

/** The canonical text of an end: the kind is written only when the name alone is ambiguous. */
export function referenceText({ component, sub }: End): string {
  if (sub === null) return component.name;
  const isUnique = subsNamed(component, sub.name).length === 1;
  return `${component.name}/${isUnique ? "" : `${sub.kind}:`}${sub.name}`;
}

/** The words that a link to this end may carry: those of the sub-component's kind, else of the type. */
export function accessWords({ sub }: End, type: ComponentType): readonly string[] {
  const own = sub === null ? undefined : type.subComponents?.[sub.section]?.access;
  return own ?? type.access ?? [];
}
