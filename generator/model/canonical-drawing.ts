import { isBlock, sortKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { DrawnComponent, DrawnLink, Drawing } from "./drawing.ts";
import type { Link, McpLink } from "./topology.ts";

/** Keys in order at every level, without what is for other tools; shared where nothing changes. */
function canonical(value: unknown): unknown {
  if (!isBlock(value)) return value;
  let isChanged = false;
  for (const key in value) {
    const item = value[key];
    isChanged ||= item === null || key.startsWith("x-") || (isBlock(item) && canonical(item) !== item);
  }
  if (!isChanged) return sortKeys(value);
  const kept = Object.entries(value).filter(([key, item]) => item !== null && !key.startsWith("x-"));
  return sortKeys(Object.fromEntries(kept.map(([key, item]) => [key, canonical(item)])));
}

function canonicalComponent(drawn: DrawnComponent | undefined): Block {
  if (drawn === undefined) return {};
  const { type, value } = drawn;
  const block = canonical(value) as Block;
  return type === null || block["type"] === type.type ? block : sortKeys({ ...block, type: type.type });
}

function canonicalAiLink(link: McpLink): Block {
  const only = Object.fromEntries(link.targets.map((target) => [target.sub.name, target.access]));
  return {
    access: link.access,
    ...(link.approvers.length === 0 ? {} : { approvers: link.approvers }),
    ...(Object.keys(link.limits).length === 0 ? {} : { limits: link.limits }),
    ...(link.narrowed ? { only } : {}),
    ...(link.tools === null ? {} : { tools: link.tools }),
  };
}

/**
 * The drawing in one form: types named, references resolved, keys sorted. Two files that draw the same have
 * the same, however they write it. Components and links are lists of pairs, in the order of the topology:
 * thousands of them in one object would cost more than everything else about them.
 */
export function canonicalDrawing(
  drawing: Drawing,
  links: readonly { readonly drawn: DrawnLink; readonly link: Link }[],
  aiLinks: ReadonlyMap<string, McpLink>,
): Block {
  const names = [...drawing.components.keys()].sort();
  const components = names.map((name) => [name, canonicalComponent(drawing.components.get(name))]);
  const byId = links.map(({ drawn, link }) => {
    const ai = link.from.component.builtin ? aiLinks.get(link.to.component.name) : undefined;
    return [link.id, ai === undefined ? canonical(drawn.value) : canonicalAiLink(ai)];
  });
  return sortKeys({ ...(canonical(drawing.root) as Block), components, links: byId });
}
