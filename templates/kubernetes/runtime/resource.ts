import { recordOf } from "#runtime/json-shape";
import { getObject } from "#runtime/kubernetes/api";
import type { Access, Collection, Json } from "#runtime/kubernetes/api";

/** A kind of object that the drawing shows to AI. */
export interface DrawnKind extends Collection {
  readonly kind: string;
}

const HIDDEN = "***";
/** Whole copies of the object, or values that people keep credentials in. */
const LEFT_OUT = new Set(["managedFields", "kubectl.kubernetes.io/last-applied-configuration", "stringData"]);

function withoutValue(variable: unknown): unknown {
  const isGiven = typeof variable === "object" && variable !== null && "value" in variable;
  return isGiven ? { ...variable, value: HIDDEN } : variable;
}

/** The object without copies of itself, and without the values of environment variables wherever they stand. */
export function withoutValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutValues);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !LEFT_OUT.has(key));
  return Object.fromEntries(
    kept.map(([key, held]) => [
      key,
      key === "env" && Array.isArray(held) ? held.map(withoutValue) : withoutValues(held),
    ]),
  );
}

/** One object of a drawn kind. */
export async function showResource(
  access: Access,
  kind: DrawnKind,
  namespace: string,
  name: string,
): Promise<Json> {
  return recordOf(withoutValues(await getObject(access, kind, namespace, name)));
}
