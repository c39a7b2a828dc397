import { hash } from "node:crypto";
import { EFFECTS, LAYERS } from "#runtime/rules";
import type { Layer, RuleEffect } from "#runtime/rules";
import type { ChangeWindow } from "#runtime/rules/window";
import { StartError } from "#runtime/start-error";

export interface Rule {
  readonly id: string;
  readonly effect: RuleEffect;
  /** Every tool that it is about, by name. */
  readonly tools: readonly string[];
  readonly when?: string;
  readonly window?: ChangeWindow;
  readonly reason: string;
  /** Whether an `allow` of a lower layer lifts it. */
  readonly overridable: boolean;
  readonly layer: Layer;
  readonly version: string;
  readonly file: string;
  readonly line: number;
}

export interface RuleFile {
  readonly file: string;
  readonly hash: string;
  readonly rules: readonly Rule[];
}

const REMEDY = "generate again and review the difference";

function metadataIn(text: string, file: string): { readonly layer: Layer; readonly version: string } {
  const [, json = "{}"] = /^metadata: (\{.*\})$/m.exec(text) ?? [];
  const { layer, version } = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const known = LAYERS.find((each) => each === layer);
  if (known !== undefined && typeof version === "string") return { layer: known, version };
  throw new StartError(`governance/${file} has no layer: ${REMEDY}`);
}

function isRule(value: Partial<Rule>): value is Rule {
  const { id, effect, tools, reason, overridable } = value;
  return (
    typeof id === "string" &&
    EFFECTS.some((each) => each === effect) &&
    Array.isArray(tools) &&
    typeof reason === "string" &&
    typeof overridable === "boolean"
  );
}

/** Digest of all that follows the line which says where the file comes from. */
function rulesHash(text: string): string {
  return `sha256:${hash("sha256", text.replace(/^# Code generated .*\n/, ""), "hex")}`;
}

/**
 * Reads a rule file as it is generated: YAML in which each rule is one line of JSON, so that a citation leads to
 * a line and no parser is needed. Throws a StartError for anything else.
 */
export function parseRules(file: string, text: string): RuleFile {
  try {
    const { layer, version } = metadataIn(text, file);
    const rules = text.split("\n").flatMap((each, at): Rule[] => {
      if (!each.startsWith("  - ")) return [];
      const rule = { ...(JSON.parse(each.slice(4)) as Partial<Rule>), layer, version, file, line: at + 1 };
      if (!isRule(rule)) throw new StartError(`governance/${file}:${at + 1} is no rule: ${REMEDY}`);
      return [rule];
    });
    return { file, hash: rulesHash(text), rules };
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`governance/${file} is not a file of rules: ${REMEDY}`);
  }
}
