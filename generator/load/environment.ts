/** An environment is the base with some of it changed: whatever it does not name is the base's own object. */
import type { Block } from "../model/block.ts";
import { isBlock, mergeBlocks } from "../model/block.ts";
import type { DrawnComponent, DrawnLink, Drawing, Overlay } from "../model/drawing.ts";

function componentOf(reference: string): string {
  const slash = reference.indexOf("/");
  return slash < 0 ? reference : reference.slice(0, slash);
}

function mergeComponents(base: Drawing, overlay: Overlay): ReadonlyMap<string, DrawnComponent> {
  if (overlay.components.size === 0) return base.components;
  const merged = new Map(base.components);
  for (const [name, drawn] of overlay.components) {
    const below = base.components.get(name);
    if (drawn === null) merged.delete(name);
    else
      merged.set(
        name,
        below === undefined ? drawn : { ...below, value: mergeBlocks(below.value, drawn.value) },
      );
  }
  return merged;
}

/** Names without a word of their own keep the word that the base gave them. */
function mergeOnly(base: unknown, overlay: Block): Block {
  const words = isBlock(base) ? base : {};
  return Object.fromEntries(
    Object.entries(overlay).map(([name, word]) => [name, word ?? words[name] ?? null]),
  );
}

/**
 * `only` replaces: merging two lists would widen. An access word stands for every name that the base
 * narrowed to, so it cannot leave one of them further open than it says.
 */
function mergeLinkValue(base: Block, overlay: Block): Block {
  const { only, ...attributes } = overlay;
  const merged: Record<string, unknown> = { ...mergeBlocks(base, attributes) };
  if (only === null) delete merged["only"];
  else if (isBlock(only))
    merged["only"] = mergeOnly(typeof overlay["access"] === "string" ? {} : base["only"], only);
  else if (typeof overlay["access"] === "string" && isBlock(base["only"])) {
    merged["only"] = Object.fromEntries(Object.keys(base["only"]).map((name) => [name, null]));
  }
  return merged;
}

function mergeLinks(
  base: Drawing,
  index: ReadonlyMap<string, DrawnLink>,
  overlay: Overlay,
): readonly DrawnLink[] {
  const removed = new Set(
    [...overlay.components].filter(([, drawn]) => drawn === null).map(([name]) => name),
  );
  if (overlay.links.size === 0 && overlay.cleared.size === 0 && removed.size === 0) return base.links;
  const merged = new Map(index);
  for (const [key, drawn] of overlay.links) {
    const below = index.get(key);
    if (drawn === null) merged.delete(key);
    else
      merged.set(
        key,
        below === undefined ? drawn : { ...drawn, value: mergeLinkValue(below.value, drawn.value) },
      );
  }
  return [...merged.values()].filter(
    ({ from, to }) =>
      !overlay.cleared.has(from) && !removed.has(componentOf(from)) && !removed.has(componentOf(to)),
  );
}

/** The drawing of an environment. A component that is taken away takes its links along; `index` holds the base's links by key. */
export function mergeEnvironment(
  base: Drawing,
  index: ReadonlyMap<string, DrawnLink>,
  overlay: Overlay,
): Drawing {
  return {
    root: Object.keys(overlay.root).length === 0 ? base.root : mergeBlocks(base.root, overlay.root),
    components: mergeComponents(base, overlay),
    links: mergeLinks(base, index, overlay),
  };
}
