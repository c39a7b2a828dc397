/** Rules for calls: what the files that `components.mcp.rules` names say, read and put in their order. */

export const RULE_LAYERS = ["constitution", "pack", "overlay"] as const;
export type RuleLayer = (typeof RULE_LAYERS)[number];
export const RULE_EFFECTS = [
  "deny",
  "route",
  "change_window",
  "require_change_ref",
  "require_approval",
  "allow",
] as const;
export type RuleEffect = (typeof RULE_EFFECTS)[number];

export interface RuleWindow {
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly timezone: string;
}

export interface DrawnRule {
  readonly id: string;
  readonly effect: RuleEffect;
  /** An empty list matches everything; tools and services may hold `*`. */
  readonly match: {
    readonly sideEffects: readonly string[];
    readonly services: readonly string[];
    readonly tools: readonly string[];
  };
  /** A condition in CEL. */
  readonly when: string | null;
  readonly window: RuleWindow | null;
  readonly reason: string;
  readonly overridable: boolean;
}

/** One file of rules. */
export interface RuleSet {
  readonly name: string;
  readonly layer: RuleLayer;
  readonly version: string;
  readonly rules: readonly DrawnRule[];
  /** Rules of a higher layer that this one replaces, because they said that it may. */
  readonly replaces: readonly { readonly rule: string; readonly of: string }[];
}
