import { listOf } from "#runtime/json-shape";
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

/** Up to this many, each is asked for by its name: Argo CD checks the rights of all that it has before it answers. */
export const FEW = 50;

/** The drawn applications as far as the account sees them, many of them without their specs. */
async function askList(
  access: Access,
  search: Search,
  drawn: readonly Application[],
): Promise<readonly Json[]> {
  const isFew = drawn.length <= FEW;
  const fields = fieldsOf(isFew || search.namespace !== undefined ? [...FIELDS, "spec"] : FIELDS);
  if (isFew) {
    const found = await each(drawn, async ({ name, namespace, project }) =>
      itemsOf(
        await ask(access, ["applications"], { name, appNamespace: namespace, projects: [project], fields }),
        "items",
      ),
    );
    return found.flat();
  }
  const projects = [...new Set(drawn.map(({ project }) => project))];
  return itemsOf(await ask(access, ["applications"], { projects, fields }), "items");
}

/**
 * What the search finds among the drawn applications, by name. Argo CD has no pages and ignores what it does not
 * know, so everything but the project is looked for here.
 */
export async function findApplications(
  access: Access,
  search: Search,
  drawn: readonly Application[],
): Promise<readonly Json[]> {
  const wanted = drawn.filter(({ project }) => (search.project ?? project) === project);
  if (wanted.length === 0) return [];
  const found = await askList(access, search, wanted);
  const within = new Set(wanted.map(({ namespace, name }) => `${namespace}/${name}`));
  return found
    .filter((application) => within.has(placeOf(application)))
    .filter((application) => matches(application, search))
    .map((application) => ({ place: placeOf(application), application }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ application }) => application);
}

function aboutSpec(spec: Json): object {
  const revisions = sourcesOf(spec).map((source) =>
    shortRevision(textOf(source, "targetRevision") || "HEAD"),
  );
  return {
    project: textOf(spec, "project"),
    destination: destinationOf(spec),
    revision: revisions.join(","),
  };
}

function rowOf(application: Json, spec: Json | undefined): object {
  const metadata = partOf(application, "metadata");
  const status = partOf(application, "status");
  const operation = partOf(status, "operationState");
  const images = listOf(partOf(status, "summary")["images"] ?? []).map(String);
  return {
    name: textOf(metadata, "name"),
    namespace: textOf(metadata, "namespace"),
    ...(spec === undefined ? {} : aboutSpec(spec)),
    sync: known(partOf(status, "sync"), "status"),
    health: known(partOf(status, "health"), "status"),
    images: images.slice(0, MAX_IMAGES).map((image) => image.slice(0, 200)),
    last_operation: { phase: known(operation, "phase"), finished: known(operation, "finishedAt") },
  };
}

async function specOf(access: Access, application: Json): Promise<Json> {
  const { name, namespace } = partOf(application, "metadata");
  const query = { name: String(name), appNamespace: String(namespace), fields: fieldsOf(["spec"]) };
  const [found] = itemsOf(await ask(access, ["applications"], query), "items");
  return partOf(found ?? {}, "spec");
}

/** The rows of one page; only for these, and only when they are few, are missing specs asked for. */
export async function rowsOf(access: Access, page: readonly Json[]): Promise<readonly object[]> {
  const isFew = page.length <= FEW;
  return await each(page, async (application) => {
    if (application["spec"] !== undefined) return rowOf(application, partOf(application, "spec"));
    return rowOf(application, isFew ? await specOf(access, application) : undefined);
  });
}
