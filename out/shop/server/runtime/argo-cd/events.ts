import { askApplication, itemsOf, known, partOf, textOf } from "#runtime/argo-cd/api";
import type { Access, Application, Json } from "#runtime/argo-cd/api";
import { ToolFault } from "#runtime/fault";

const MAX_MESSAGE = 500;

export interface EventRow {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly last: string;
}

/** `Deployment/web`, or `web` when only one thing of the application is called that. */
async function resourceQuery(access: Access, application: Application, resource: string) {
  const tree = await askApplication(access, application, ["resource-tree"]);
  const [name = "", kind] = resource.split("/").reverse();
  const found = itemsOf(tree, "nodes").filter(
    (node) => textOf(node, "name") === name && (kind ?? textOf(node, "kind")) === textOf(node, "kind"),
  );
  const [node] = found;
  if (node === undefined) throw new ToolFault("not_found", "the application has no such resource");
  if (found.length > 1) {
    const kinds = [...new Set(found.map((each) => textOf(each, "kind")))].slice(0, 10).join(", ");
    throw new ToolFault("invalid_argument", "more than one resource has this name", {
      hint: `write Kind/name: ${kinds}`,
    });
  }
  return {
    resourceName: name,
    resourceNamespace: textOf(node, "namespace"),
    resourceUID: textOf(node, "uid"),
  };
}

function rowOf(event: Json): EventRow {
  const series = partOf(event, "series");
  const last =
    known(series, "lastObservedTime") ?? known(event, "lastTimestamp") ?? known(event, "eventTime");
  return {
    type: textOf(event, "type"),
    reason: textOf(event, "reason"),
    message: textOf(event, "message", MAX_MESSAGE),
    count: Number(series["count"] ?? event["count"] ?? 1),
    last: last ?? textOf(partOf(event, "metadata"), "creationTimestamp"),
  };
}

/** Newest first, those since `since` (in seconds). */
export async function listEvents(
  access: Access,
  application: Application,
  resource: string | undefined,
  since: number,
): Promise<readonly EventRow[]> {
  const query = resource === undefined ? {} : await resourceQuery(access, application, resource);
  const answer = await askApplication(access, application, ["events"], query);
  return itemsOf(answer, "items")
    .map(rowOf)
    .filter(({ last }) => Date.parse(last) / 1000 >= since)
    .sort((a, b) => Date.parse(b.last) - Date.parse(a.last) || (a.reason < b.reason ? -1 : 1));
}
