import { defineHook } from "#hook";
import type { LinkModule } from "#hook";

/** The write flag of one link whose type has write tools. */
export interface WriteGate {
  readonly flag: string;
  readonly link: string;
  /** True when the drawing lets the flag be true; the flag of an undrawn gate can never open anything. */
  readonly drawn: boolean;
  /** Every call through this gate needs a person's approval. */
  readonly approval: boolean;
  /** The write tools that are left in the emitted source. */
  readonly tools: readonly string[];
}

function gateOf({ environment, link, tools }: LinkModule): WriteGate {
  return {
    flag: `${environment}_WRITE_ACCESS`,
    link: link.id,
    drawn: link.access !== "read",
    approval: link.access === "propose",
    tools: tools.filter((tool) => tool.effect !== "read").map((tool) => tool.name),
  };
}

/** One gate for each link that could write; a type without write tools has none. Sorted by flag. */
export default defineHook({
  name: "write-gates",
  derive: (_topology, _facts, { links }): { readonly gates: readonly WriteGate[] } => ({
    gates: links
      .filter((module) => module.canWrite)
      .map(gateOf)
      .sort((a, b) => (a.flag < b.flag ? -1 : 1)),
  }),
});
