/**
 * Reads attributes out of a block of the stack file. A value of the wrong kind counts as absent: validation
 * has reported it, and the rest of the model is still built so that every other fault shows too.
 */
import { fillPattern } from "../catalog/contract.ts";
import type { AttributeSpec } from "../catalog/contract.ts";
import { isBlock, sortKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { Attributes, AttributeValue, Scalar } from "./topology.ts";

/** Shared by everything that has no attributes: a large drawing has thousands of them. */
export const NOTHING: Readonly<Record<string, never>> = Object.freeze({});

export function textOf(block: Block, key: string): string | null {
  const value = block[key];
  return typeof value === "string" ? value : null;
}

export function wholeOf(block: Block, key: string): number | null {
  const value = block[key];
  return typeof value === "number" && Number.isInteger(value) ? value : null;
}

export function blockOf(block: Block, key: string): Block {
  const value = block[key];
  return isBlock(value) ? value : NOTHING;
}

export function textsOf(block: Block, key: string): readonly string[] {
  const value = block[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/**
 * A map becomes a sorted list of `key=value`, or of `key` where nothing is said about it: attributes are flat
 * so that queries can select by them.
 */
export function attributeValue(value: unknown): AttributeValue {
  if (isScalar(value)) return value;
  if (Array.isArray(value)) return value.filter(isScalar);
  if (!isBlock(value)) return null;
  return Object.keys(value)
    .sort()
    .map((key) => (value[key] === null ? key : `${key}=${String(value[key])}`));
}

/** A map of texts, sorted by key. */
export function labelsOf(block: Block): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const key in block) {
    const value = block[key];
    if (typeof value === "string") labels[key] = value;
  }
  return sortKeys(labels);
}

type Kind = AttributeSpec["kind"];
const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string",
  choice: (value) => typeof value === "string",
  integer: (value) => typeof value === "number",
  flag: (value) => typeof value === "boolean",
  list: (value) => Array.isArray(value),
  map: isBlock,
};

/** An attribute that a type declares, with its name. */
export interface NamedSpec {
  readonly name: string;
  readonly spec: AttributeSpec;
}

/** What is declared, as written or else by default, sorted by name; `variables` fill the patterns in defaults. */
export function declaredAttributes(
  specs: readonly NamedSpec[],
  written: Block,
  variables: Block,
): Attributes {
  if (specs.length === 0) return NOTHING;
  const attributes: Record<string, AttributeValue> = {};
  for (const { name, spec } of specs) {
    const value = written[name];
    if (value !== undefined && FITS[spec.kind](value)) attributes[name] = attributeValue(value);
    else if (typeof spec.default === "string") attributes[name] = fillPattern(spec.default, variables);
    else if (spec.default !== undefined) attributes[name] = attributeValue(spec.default);
  }
  return attributes;
}

/** Free attributes: scalars only, sorted; the block itself when it is so already. */
export function freeAttributes(block: Block): Attributes {
  if (block === NOTHING) return NOTHING;
  if (Object.values(block).every(isScalar)) return sortKeys(block as Readonly<Record<string, Scalar>>);
  const scalars = Object.entries(block).filter((entry): entry is [string, Scalar] => isScalar(entry[1]));
  return sortKeys(Object.fromEntries(scalars));
}
