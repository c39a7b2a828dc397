import { SERVER } from "../model/builtins.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import type { Path } from "../model/topology.ts";
import type { Block } from "../model/block.ts";
import { isBlock, kindOf } from "../model/block.ts";
import { linkKey } from "../model/drawing.ts";
import type { DrawnLink } from "../model/drawing.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";

/** One link out of the file; `null` as its value removes it, where that is possible. */
interface Written extends Omit<DrawnLink, "value"> {
  readonly value: Block | null;
}

/** The links of one source. */
interface Source {
  readonly from: string;
  readonly block: Block;
  readonly path: Path;
  /** In an environment, nothing takes the link away; in the base, it draws one without attributes. */
  readonly isOverlay: boolean;
}

const NO_ATTRIBUTES: Block = Object.freeze({});

const HOW = "write an access word, a map of attributes, or nothing";

function readList(
  { from, path: sourcePath }: Source,
  to: string,
  list: readonly unknown[],
  into: Written[],
  report: Report,
): void {
  list.forEach((value, index) => {
    const path = [...sourcePath, to, index];
    if (!isBlock(value)) {
      report("E-SHAPE", `${kindOf(value)} stands in a list of links: write a map with a name for each`, path);
    } else if (typeof value["name"] === "string") {
      into.push({ from, to, name: value["name"], value, path, sourcePath });
    } else {
      report("E-MISSING", `several links from ${quoted(from)} to ${quoted(to)} need a name each`, path);
    }
  });
}

function readLink(source: Source, to: string, value: unknown, into: Written[], report: Report): void {
  const { from, path: sourcePath } = source;
  const path = [...sourcePath, to];
  if (isBlock(value)) into.push({ from, to, name: null, value, path, sourcePath });
  else if (value === null)
    into.push({ from, to, name: null, value: source.isOverlay ? null : NO_ATTRIBUTES, path, sourcePath });
  else if (typeof value === "string")
    into.push({ from, to, name: null, value: { access: value }, path, sourcePath });
  else if (Array.isArray(value)) readList(source, to, value, into, report);
  else report("E-SHAPE", `the link to ${quoted(to)} is ${kindOf(value)}: ${HOW}`, path);
}

function readSource(source: Source, report: Report): readonly Written[] {
  const links: Written[] = [];
  for (const to in source.block) readLink(source, to, source.block[to], links, report);
  return source.from === SERVER ? aiLinks(links, report) : links;
}

/** `only` as a map from name to word; without a word of its own a name takes the link's. */
function onlyMap(link: Written, value: Block, report: Report): Block | null {
  const { only } = value;
  const path = [...link.path, "only"];
  if (only === undefined || only === null) return null;
  if (Array.isArray(only)) {
    if (only.length > 0 && only.every((name) => typeof name === "string")) {
      return Object.fromEntries(only.map((name) => [name, null]));
    }
    report("E-SHAPE", "only holds the names of sub-components: only: [app_db]", path);
    return null;
  }
  if (!isBlock(only) || Object.keys(only).length === 0) {
    report("E-SHAPE", "only is a list of names, or a map from name to read, propose or write", path);
    return null;
  }
  if (value["access"] !== undefined && value["access"] !== null) {
    report(
      "E-SHAPE",
      "only as a map says how far AI may go with each name, so access beside it has no meaning: remove one of the two",
      path,
    );
  }
  return only;
}

/** `cnpg/app_db: read` is `cnpg: {access: read, only: [app_db]}`. */
function aiLink(link: Written, report: Report): Written {
  const slash = link.to.indexOf("/");
  if (link.value === null && slash < 0) return link;
  const value = link.value ?? {};
  const only = onlyMap(link, value, report);
  const { only: written, ...rest } = value;
  // In an environment, an empty `only` takes the base's away; the comparison with the base then refuses it.
  if (slash < 0) return written === undefined ? link : { ...link, value: { ...rest, only } };
  if (only !== null) {
    report(
      "E-DUP",
      `${quoted(link.to)} already names what the link is for: remove only, or list the name there`,
      [...link.path, "only"],
    );
  }
  return {
    ...link,
    to: link.to.slice(0, slash),
    value: { ...rest, only: { [link.to.slice(slash + 1)]: null } },
  };
}

/** `cnpg: {only: {app_db: read, audit_db: write}}`, or an instruction when one of the links is for the whole. */
function asOne(component: string, links: readonly Written[]): string {
  const words = links.map((link) => {
    const access = link.value?.["access"];
    const only = isBlock(link.value?.["only"]) ? Object.entries(link.value["only"]) : [];
    return only.map(([name, word]) => `${name}: ${String(word ?? access ?? "read")}`);
  });
  if (words.some((names) => names.length === 0)) {
    return `one of them is for the whole of "${component}": keep that one, or name every part under only`;
  }
  return `write them as one: ${component}: {only: {${words.flat().join(", ")}}}`;
}

function aiLinks(written: readonly Written[], report: Report): readonly Written[] {
  const byComponent = new Map<string, Written[]>();
  for (const link of written.map((one) => aiLink(one, report))) {
    const others = byComponent.get(link.to);
    if (others === undefined) byComponent.set(link.to, [link]);
    else others.push(link);
  }
  return [...byComponent].flatMap(([component, [first, second, ...others]]) => {
    if (first !== undefined && second !== undefined) {
      report(
        "E-DUP",
        `"${component}" is linked twice; ${asOne(component, [first, second, ...others])}`,
        second.path,
      );
    }
    return first === undefined ? [] : [first];
  });
}

type Visit = (from: string, block: Block | null, path: Path) => void;

function visitSources(written: unknown, path: Path, report: Report, visit: Visit): void {
  if (written === undefined || written === null) return;
  if (!isBlock(written)) {
    report("E-SHAPE", `links is ${kindOf(written)}: write a map from component to what it links to`, path);
    return;
  }
  for (const from in written) {
    const block = written[from];
    const at = [...path, from];
    if (block === null || isBlock(block)) visit(from, block, at);
    else
      report(
        "E-SHAPE",
        `the links of ${quoted(from)} are ${kindOf(block)}: write a map from component to access`,
        at,
      );
  }
}

export function normaliseLinks(written: unknown, report: Report): readonly DrawnLink[] {
  const drawn: DrawnLink[] = [];
  visitSources(written, ["links"], report, (from, block, path) => {
    for (const link of readSource({ from, block: block ?? NO_ATTRIBUTES, path, isOverlay: false }, report)) {
      if (isDrawn(link)) drawn.push(link);
    }
  });
  return drawn;
}

function isDrawn(link: Written): link is DrawnLink {
  return link.value !== null;
}

/** `cnpg/app_db:` under `mcp` in an environment takes one name from `only`, and the link with the last one. */
function removePart(
  from: string,
  to: string,
  base: ReadonlyMap<string, DrawnLink>,
  links: Map<string, DrawnLink | null>,
  path: Path,
): boolean {
  const slash = to.indexOf("/");
  if (from !== SERVER || slash < 0) return false;
  const key = linkKey({ from, to: to.slice(0, slash), name: null });
  const below = base.get(key);
  const only = below?.value["only"];
  const part = to.slice(slash + 1);
  if (below === undefined || !isBlock(only) || !Object.hasOwn(only, part)) return false;
  const rest = Object.entries(only).filter(([name]) => name !== part);
  const value = { only: Object.fromEntries(rest) };
  links.set(key, rest.length === 0 ? null : { ...below, value, path: [...path, to] });
  return true;
}

/** As `normaliseLinks`, where `null` takes a link of the base away. */
export function normaliseLinkOverlay(
  written: unknown,
  root: Path,
  base: ReadonlyMap<string, DrawnLink>,
  report: Report,
): { readonly links: Map<string, DrawnLink | null>; readonly cleared: ReadonlySet<string> } {
  const links = new Map<string, DrawnLink | null>();
  const cleared = new Set<string>();
  visitSources(written, [...root, "links"], report, (from, block, path) => {
    if (block === null) cleared.add(from);
    const kept = Object.entries(block ?? {}).filter(
      ([to, value]) => value !== null || !removePart(from, to, base, links, path),
    );
    for (const link of readSource({ from, block: Object.fromEntries(kept), path, isOverlay: true }, report)) {
      const key = linkKey(link);
      if (isDrawn(link) || base.has(key)) links.set(key, isDrawn(link) ? link : null);
      else reportNothingToRemove(link, base, report);
    }
  });
  return { links, cleared };
}

function reportNothingToRemove(link: Written, base: ReadonlyMap<string, DrawnLink>, report: Report): void {
  const targets = [...base.values()].filter((other) => other.from === link.from).map((other) => other.to);
  const missing = `the base draws no link from ${quoted(link.from)} to ${quoted(link.to)}, so there is nothing to remove`;
  report("E-REF", `${missing}.${suggestion(link.to, targets)}`, link.path);
}
