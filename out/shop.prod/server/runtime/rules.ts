import type { Arguments, Stage } from "#runtime/call/call";

/** The layers of rules, the one with the last word first: a lower one can add, and never take away. */
export const LAYERS = ["constitution", "pack", "overlay"] as const;
export type Layer = (typeof LAYERS)[number];

export const EFFECTS = [
  "deny",
  "route",
  "change_window",
  "require_change_ref",
  "require_approval",
  "allow",
] as const;
/** The strongest first: the first that is not met decides. */
export type RuleEffect = (typeof EFFECTS)[number];

/** Where a rule stands, so that a verdict can be looked up. */
export interface Citation {
  readonly rule: string;
  readonly layer: Layer;
  readonly file: string;
  readonly line: number;
  readonly version: string;
}

/** What the rules say about one call. */
export interface Verdict {
  readonly allow: boolean;
  readonly effect: RuleEffect;
  /** `null` when no rule has anything to say. */
  readonly decided_by: Citation | null;
  readonly considered: readonly {
    readonly rule: string;
    readonly effect: RuleEffect;
    readonly outcome: "unmet" | "met" | "relaxed";
  }[];
  /** Digest of all rule files. */
  readonly policy_revision: string;
  /** For people and models: why. */
  readonly reason: string;
}

/** A call as rules see it. */
export interface RuleQuestion {
  readonly tool: string;
  readonly args: Arguments;
  readonly principal: Readonly<Record<"id" | "human" | "agent" | "team", string | null>>;
  /** Of the change record that the caller names. */
  readonly changeRef: string | undefined;
  readonly approved: boolean;
}

/** The rules of one server, opened at its start. */
export interface Rules {
  readonly revision: string;
  readonly files: readonly { readonly file: string; readonly hash: string }[];
  /** Whether the tool is forbidden whatever the arguments: it is then not listed, as if it did not exist. */
  hides(tool: string): boolean;
  /** Whether calls of the tool may name a change record. */
  takesChangeRef(tool: string): boolean;
  /** Stands before the arguments are looked at: a tool that is hidden is unknown, whatever it is called with. */
  readonly hide: Stage;
  /** Stands after. */
  readonly enforce: Stage;
  /** Stands before the tool itself. */
  readonly strip: Stage;
}

/** What rules need to know of the server that they are opened in; throws a StartError. */
export type OpenRules = (server: {
  readonly stack: string;
  readonly environment: string | null;
  readonly opaUrl: string | undefined;
}) => Rules;

export const CHANGE_REF = "change_ref";
export const CHANGE_REF_SCHEMA = {
  type: "string",
  pattern: "^[A-Za-z0-9][A-Za-z0-9._/#-]{2,63}$",
  description: "Id of the change record that covers this call; ask a person for it, never make one up.",
} as const;

type Schema = Readonly<Record<string, unknown>>;

/** The schema of a tool whose calls may have to name a change record. */
export function withChangeRef(schema: Schema): Schema {
  const properties = schema["properties"] as Schema | undefined;
  return { ...schema, properties: { ...properties, [CHANGE_REF]: CHANGE_REF_SCHEMA } };
}
