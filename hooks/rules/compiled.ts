import type { Topology } from "#hook";

type DrawnRule = Topology["ruleSets"][number]["rules"][number];

/** A rule with the tools that it is about, and the place that verdicts cite. */
export interface CompiledRule extends Omit<DrawnRule, "match"> {
  readonly tools: readonly string[];
  readonly layer: Topology["ruleSets"][number]["layer"];
  readonly file: string;
  readonly line: number;
}

export interface RuleFileFacts extends Omit<Topology["ruleSets"][number], "rules"> {
  /** In `governance/`. */
  readonly file: string;
  readonly rules: readonly CompiledRule[];
  readonly text: string;
  readonly hash: string;
}
