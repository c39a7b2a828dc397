import type { ComponentType } from "../catalog/contract.ts";
import type { Path } from "./topology.ts";
import type { Block } from "./block.ts";

/** A component with its shorthand written out: sections are maps, every sub-component is a block. */
export interface DrawnComponent {
  readonly name: string;
  /** `null` when the type is missing or unknown: reported once, and everything that names it stays silent. */
  readonly type: ComponentType | null;
  readonly value: Block;
  readonly path: Path;
}

/** A link as a block, whatever way it was written. */
export interface DrawnLink {
  /** References as written: `kafka/orders`. A link from `mcp` ends at a component, its subs are in `only`. */
  readonly from: string;
  readonly to: string;
  /** Set when several links join the same ends. */
  readonly name: string | null;
  readonly value: Block;
  readonly path: Path;
  /** Where the source's links stand: shared by all of them. */
  readonly sourcePath: Path;
}

/**
 * The stack file with every shorthand written out, before defaults and references.
 *
 * Environments merge in this form, which is why an override of one attribute keeps the others.
 */
export interface Drawing {
  /** Everything but components, links and environments. */
  readonly root: Block;
  readonly components: ReadonlyMap<string, DrawnComponent>;
  readonly links: readonly DrawnLink[];
}

/** What an environment writes: `null` takes away. */
export interface Overlay {
  readonly root: Block;
  readonly components: ReadonlyMap<string, DrawnComponent | null>;
  /** By `linkKey`. */
  readonly links: ReadonlyMap<string, DrawnLink | null>;
  /** Sources that lose every link of the base. */
  readonly cleared: ReadonlySet<string>;
}

/** Identifies a link by what was written; `name` is empty for the only link between two ends. */
export function linkKey({ from, to, name }: Pick<DrawnLink, "from" | "to" | "name">): string {
  return `${from} ${to} ${name ?? ""}`;
}

/** The links of a drawing by `linkKey`: for environments, which change some of them. */
export function indexLinks(links: readonly DrawnLink[]): ReadonlyMap<string, DrawnLink> {
  return new Map(links.map((link) => [linkKey(link), link]));
}
