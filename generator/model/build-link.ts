import type { ComponentType } from "../catalog/contract.ts";
import { sortedKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { DrawnLink } from "./drawing.ts";
import { SERVER } from "./builtins.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { accessWords, referenceText } from "./references.ts";
import type { Attributes, AttributeValue, End, Link, Path } from "./topology.ts";
import { attributeValue, NOTHING, textOf } from "./values.ts";

const NOT_ATTRIBUTES: ReadonlySet<string> = new Set(["access", "name"]);
/** What only the resolved link from `mcp` says, in one form for every way of writing it. */
const OF_AI_LINKS: ReadonlySet<string> = new Set([...NOT_ATTRIBUTES, "approvers", "limits", "only", "tools"]);

/** `x-` keys are for other tools and are left out. */
function attributesOf(value: Block, left: ReadonlySet<string>): Attributes {
  let attributes: Record<string, AttributeValue> | undefined;
  for (const key of sortedKeys(value)) {
    if (left.has(key) || key.startsWith("x-") || value[key] === null) continue;
    attributes ??= {};
    attributes[key] = attributeValue(value[key]);
  }
  return attributes ?? NOTHING;
}

function typeOf(from: End, to: End): string {
  return `${from.component.type}-${to.component.type}${to.sub === null ? "" : `_${to.sub.kind}`}`;
}

/** True when the link makes sense at all; otherwise it has been reported. */
function canJoin(from: End, to: End, path: Path, report: Report): boolean {
  const source = from.component;
  const target = to.component;
  if (source === target) {
    report("E-LINK-TYPE", `"${source.name}" is linked with itself`, path);
  } else if (source.builtin && source.name !== SERVER) {
    report("E-LINK-TYPE", `"${source.name}" starts no links: it serves AI through mcp only`, path);
  } else if (target.builtin && target.name !== SERVER && source.name !== SERVER) {
    report("E-LINK-TYPE", `only mcp links to "${target.name}"`, path);
  } else if (from.sub !== null && source.name === SERVER) {
    report("E-LINK-TYPE", "links from mcp start at mcp itself", path);
  } else {
    return true;
  }
  return false;
}

/** The word of a link between components. Those from `mcp` have words of their own. */
function accessOf(link: DrawnLink, from: End, to: End, type: ComponentType, report: Report): string | null {
  const access = textOf(link.value, "access");
  if (access === null || from.component.name === SERVER) return access;
  const words = accessWords(to, type);
  if (words.includes(access)) return access;
  const use = words.length === 0 ? "write no word" : `use ${words.join(", ")}`;
  report("E-ACCESS", `${quoted(access)} is no access word for ${typeOf(from, to)}: ${use}`, [
    ...link.path,
    "access",
  ]);
  return null;
}

/** A link between two resolved ends, or `null` after a report. */
export function buildLink(
  link: DrawnLink,
  from: End,
  to: End,
  type: ComponentType,
  report: Report,
): Link | null {
  if (!canJoin(from, to, link.path, report)) return null;
  const kind = to.sub === null ? "" : `_${to.sub.kind}`;
  return {
    id: `${referenceText(from)}->${referenceText(to)}${link.name === null ? "" : `#${link.name}`}`,
    type: typeOf(from, to),
    name: textOf(link.value, "name") ?? `${from.component.name}-${to.component.name}${kind}`,
    from,
    to,
    access: accessOf(link, from, to, type, report),
    attributes: attributesOf(link.value, from.component.name === SERVER ? OF_AI_LINKS : NOT_ATTRIBUTES),
    path: link.path,
  };
}
