import { listOf, recordOf } from "#runtime/json-shape";
import { ask, each, itemsOf, known, partOf, textOf } from "#runtime/argo-cd/api";
import type { Access, Application, Json } from "#runtime/argo-cd/api";

export const SYNC = ["Synced", "OutOfSync", "Unknown"] as const;
export const HEALTH = ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"] as const;
const MAX_IMAGES = 5;
const SHORT = 8;

/** Small for any number of applications: a spec may hold the values of a whole Helm chart. */
const FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "status.sync.status",
  "status.health",
  "status.summary",
  "status.operationState.phase",
  "status.operationState.finishedAt",
];

export interface Search {
  readonly project?: string | undefined;
  readonly sync?: string | undefined;
  readonly health?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name_contains?: string | undefined;
}

const fieldsOf = (names: readonly string[]): string => names.map((name) => `items.${name}`).join(",");

/** A commit as people write it; a branch or a version as it is. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40,64}$/.test(revision) ? revision.slice(0, SHORT) : revision;
}

export function sourcesOf(spec: Json): readonly Json[] {
  const many = itemsOf(spec, "sources");
  return many.length > 0 ? many : [partOf(spec, "source")];
}

export function destinationOf(spec: Json): object {
  const { namespace, name, server } = partOf(spec, "destination");
  return { namespace, cluster: name ?? server };
}

function matches(application: Json, search: Search): boolean {
  const status = partOf(application, "status");
  const { namespace, name_contains: part = "", sync, health } = search;
  return (
    textOf(partOf(application, "metadata"), "name").includes(part) &&
    (sync ?? textOf(partOf(status, "sync"), "status")) === textOf(partOf(status, "sync"), "status") &&
    (health ?? textOf(partOf(status, "health"), "status")) === textOf(partOf(status, "health"), "status") &&
    (namespace ?? "") ===
      (namespace === undefined ? "" : textOf(partOf(partOf(application, "spec"), "destination"), "namespace"))
  );
}

const placeOf = (application: Json): string => {
  const metadata = partOf(application, "metadata");
  return `${textOf(metadata, "namespace")}/${textOf(metadata, "name")}`;
};

/**
 * What the search finds among the drawn applications, by name. Argo CD has no pages and ignores what it does not
 * know, so everything but the project is looked for here.
 */
export async function findApplications(
  access: Access,
  search: Search,
  drawn: readonly Application[],
): Promise<readonly Json[]> {
  const fields = fieldsOf(search.namespace === undefined ? FIELDS : [...FIELDS, "spec"]);
  const projects = [...new Set(drawn.map(({ project }) => project))].filter(
    (name) => (search.project ?? name) === name,
  );
  if (projects.length === 0) return [];
  const answer = await ask(access, ["applications"], { projects, fields });
  const within = new Set(drawn.map(({ namespace, name }) => `${namespace}/${name}`));
  return listOf(answer["items"] ?? [])
    .map(recordOf)
    .filter((application) => within.has(placeOf(application)))
    .filter((application) => matches(application, search))
    .map((application) => ({ place: placeOf(application), application }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ application }) => application);
}

function rowOf(application: Json, spec: Json): object {
  const metadata = partOf(application, "metadata");
  const status = partOf(application, "status");
  const operation = partOf(status, "operationState");
  const images = listOf(partOf(status, "summary")["images"] ?? []).map(String);
  return {
    name: textOf(metadata, "name"),
    namespace: textOf(metadata, "namespace"),
    project: textOf(spec, "project"),
    destination: destinationOf(spec),
    sync: known(partOf(status, "sync"), "status"),
    health: known(partOf(status, "health"), "status"),
    revision: sourcesOf(spec)
      .map((source) => shortRevision(textOf(source, "targetRevision") || "HEAD"))
      .join(","),
    images: images.slice(0, MAX_IMAGES).map((image) => image.slice(0, 200)),
    last_operation: { phase: known(operation, "phase"), finished: known(operation, "finishedAt") },
  };
}

/** The rows of one page; only for these are the specs asked for. */
export async function rowsOf(access: Access, page: readonly Json[]): Promise<readonly object[]> {
  return await each(page, async (application) => {
    const { name, namespace } = partOf(application, "metadata");
    const query = { name: String(name), appNamespace: String(namespace), fields: fieldsOf(["spec"]) };
    const [found] = itemsOf(await ask(access, ["applications"], query), "items");
    return rowOf(application, partOf(found ?? {}, "spec"));
  });
}
