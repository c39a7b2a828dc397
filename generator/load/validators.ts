import type { ComponentType } from "../catalog/contract.ts";

/** What is read of an ajv error. */
export interface Violation {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A compiled schema, in the shape that ajv gives it: after `false`, `errors` says why. */
export interface Validate {
  (value: unknown): boolean;
  errors?: readonly Violation[] | null;
}

/**
 * The compiled pieces of the normalised schema by `validatorName`, or `root`, `link`, `gatewayLink`, `mcpLink`.
 *
 * A module namespace of the build fits as it is.
 */
export type StackValidators = Readonly<Record<string, Validate>>;

export function validatorName(type: ComponentType): string {
  return `component_${type.type.replaceAll("-", "_")}`;
}

/** The validator of that name; a build that lacks one is not made from this catalog. */
export function validator(validators: StackValidators, name: string): Validate {
  const validate = validators[name];
  if (validate === undefined) throw new Error(`no validator "${name}": build the catalog again`);
  return validate;
}
