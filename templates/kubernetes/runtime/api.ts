/** The few ways in which the Kubernetes API is asked; which names may stand in a path is up to the tools. */
import { requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

/** Where the objects of one kind stand. */
export interface Collection {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export type Json = Readonly<Record<string, unknown>>;
type Query = Readonly<Record<string, string | number | undefined>>;

/** One call's way to the cluster. */
export interface Access {
  readonly cluster: HttpService;
  readonly signal: AbortSignal;
}

export const PODS: Collection = { group: "", version: "v1", plural: "pods" };
export const EVENTS: Collection = { group: "", version: "v1", plural: "events" };
export const SERVICES: Collection = { group: "", version: "v1", plural: "services" };
export const REPLICA_SETS: Collection = { group: "apps", version: "v1", plural: "replicasets" };
export const ENDPOINT_SLICES: Collection = {
  group: "discovery.k8s.io",
  version: "v1",
  plural: "endpointslices",
};
export const POD_METRICS: Collection = { group: "metrics.k8s.io", version: "v1beta1", plural: "pods" };

/** Each kind of workload that rolls out, as the tools call it. */
export const ROLLING: Readonly<Record<"deployment" | "statefulset" | "daemonset", Collection>> = {
  deployment: { group: "apps", version: "v1", plural: "deployments" },
  statefulset: { group: "apps", version: "v1", plural: "statefulsets" },
  daemonset: { group: "apps", version: "v1", plural: "daemonsets" },
};

/** The path of a collection in a namespace, or of what stands below it. */
export function pathOf(collection: Collection, namespace: string, ...below: readonly string[]): string[] {
  const { group, version, plural } = collection;
  const root = group === "" ? ["api", version] : ["apis", group, version];
  return [...root, "namespaces", namespace, plural, ...below];
}

/** One object by its exact name; an absent one is `not_found`. */
export async function getObject(
  { cluster, signal }: Access,
  collection: Collection,
  namespace: string,
  ...below: readonly [name: string, subresource?: string]
): Promise<Json> {
  const path = pathOf(collection, namespace, ...below.filter((part) => part !== undefined));
  return recordOf(await requestJson(cluster, { path, signal }));
}

/** Some objects of a collection, in the order of their names. */
export interface Batch {
  readonly items: readonly Json[];
  /** To go on after the last of them; `null` when there are no more. */
  readonly next: string | null;
  /** How many come after them, when the server knows. */
  readonly remaining: number | null;
}

function batchOf(body: Json, items: readonly Json[]): Batch {
  const { continue: next, remainingItemCount } = recordOf(body["metadata"] ?? {});
  const remaining = typeof remainingItemCount === "number" ? remainingItemCount : null;
  const isLast = typeof next !== "string" || next === "";
  return { items, next: isLast ? null : next, remaining: isLast ? 0 : remaining };
}

/** Objects as they are. */
export async function listObjects(
  { cluster, signal }: Access,
  path: readonly string[],
  query: Query,
): Promise<Batch> {
  const body = recordOf(await requestJson(cluster, { path, query, signal }));
  return batchOf(body, listOf(body["items"]).map(recordOf));
}

const AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const MAX_CELL = 512;

function columnName(column: unknown): string {
  return cutText(recordOf(column)["name"], 64)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_");
}

function cellOf(cell: unknown): unknown {
  return typeof cell === "number" || typeof cell === "boolean" ? cell : cutText(cell, MAX_CELL);
}

/**
 * Objects as `kubectl get` shows them: a short row each, in which the server has worked out what the state of
 * the object amounts to. Thousands of pods are then a few hundred kilobytes in place of many megabytes.
 */
export async function listRows(
  { cluster, signal }: Access,
  path: readonly string[],
  query: Query,
): Promise<Batch> {
  const asked = { path, query: { ...query, includeObject: "None" }, accept: AS_TABLE, signal };
  const body = recordOf(await requestJson(cluster, asked));
  const columns = listOf(body["columnDefinitions"] ?? []).map(columnName);
  const rows = listOf(body["rows"] ?? []).map((row) => {
    const cells = listOf(recordOf(row)["cells"]);
    return Object.fromEntries(columns.map((column, index) => [column, cellOf(cells[index])]));
  });
  return batchOf(body, rows);
}
