import { askApplication, getApplication, itemsOf, known, partOf, textOf } from "#runtime/argo-cd/api";
import type { Access, Application, Json } from "#runtime/argo-cd/api";

const MAX_MESSAGE = 300;
const WELL = ["", "Healthy", "Suspended"];

export interface ResourceRow {
  readonly kind: string;
  readonly group: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  /** Absent for what is not in Git, such as the pods of a Deployment. */
  readonly sync: string | undefined;
  readonly health: string | undefined;
  readonly message: string | undefined;
  /** It is no longer in Git, and stays until somebody prunes. */
  readonly obsolete: true | undefined;
}

const keyOf = (resource: Json): string =>
  ["group", "kind", "namespace", "name"].map((part) => textOf(resource, part)).join("\u0000");

/** Of a Secret nothing but its name: what is wrong with one may quote it. */
function rowOf(resource: Json, managed: Json | undefined): ResourceRow {
  const health = partOf(resource, "health");
  const isSecret = textOf(resource, "kind") === "Secret";
  return {
    kind: textOf(resource, "kind"),
    group: known(resource, "group"),
    namespace: known(resource, "namespace"),
    name: textOf(resource, "name"),
    sync: isSecret || managed === undefined ? undefined : known(managed, "status"),
    health: isSecret ? undefined : known(health, "status"),
    message: isSecret ? undefined : known(health, "message", MAX_MESSAGE),
    obsolete: managed?.["requiresPruning"] === true ? true : undefined,
  };
}

/** Unhealthy before out of sync before the rest. */
function urgency({ health = "", sync }: ResourceRow): number {
  if (!WELL.includes(health)) return 0;
  return sync === "OutOfSync" ? 1 : 2;
}

function inOrder(a: ResourceRow, b: ResourceRow): number {
  const key = (row: ResourceRow): string =>
    [urgency(row), row.kind, row.namespace, row.name, row.group].join("\u0000");
  return key(a) < key(b) ? -1 : 1;
}

export interface ResourceSearch {
  readonly kind?: string | undefined;
  readonly health?: string | undefined;
  readonly only_unhealthy: boolean;
}

function matches(row: ResourceRow, { kind, health, only_unhealthy }: ResourceSearch): boolean {
  if (only_unhealthy && urgency(row) > 1) return false;
  return (kind ?? row.kind) === row.kind && (health ?? row.health) === row.health;
}

/** Everything that runs, and what Git has and the cluster does not. */
export async function listResources(
  access: Access,
  application: Application,
  search: ResourceSearch,
): Promise<readonly ResourceRow[]> {
  const tree = await askApplication(access, application, ["resource-tree"]);
  const found = await getApplication(access, application);
  const managed = new Map(itemsOf(partOf(found, "status"), "resources").map((item) => [keyOf(item), item]));
  const nodes = new Map(itemsOf(tree, "nodes").map((node) => [keyOf(node), node]));
  const missing = [...managed]
    .filter(([key]) => !nodes.has(key))
    .map(([, resource]) => rowOf(resource, resource));
  const rows = [...nodes].map(([key, node]) => rowOf(node, managed.get(key)));
  return [...rows, ...missing].filter((row) => matches(row, search)).sort(inOrder);
}
