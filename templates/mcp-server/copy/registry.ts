import type { Registry } from "#runtime/registry";

/** Stands in for the generated registry: a stack without links. */
export const registry: Registry = {
  stack: "empty",
  environment: null,
  modules: [],
  allowList: {},
  flags: {},
  credentials: {},
};
