import { getApplication, itemsOf, known, partOf, textOf, withoutAccount } from "#runtime/argo-cd/api";
import type { Access, Application, Json } from "#runtime/argo-cd/api";
import { destinationOf, shortRevision, sourcesOf } from "#runtime/argo-cd/list";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

export const VIEWS = ["summary", "history", "conditions", "operation"] as const;
export const MAX_HISTORY = 10;
const MAX_ROWS = 50;
const MAX_LINKS = 10;
const MAX_MESSAGE = 500;

function sourceOf(source: Json): object {
  return {
    repo: withoutAccount(textOf(source, "repoURL", 500)),
    path: known(source, "path", 500),
    chart: known(source, "chart"),
    target_revision: textOf(source, "targetRevision") || "HEAD",
  };
}

function countBy(
  resources: readonly Json[],
  value: (resource: Json) => string,
): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const resource of resources) counts.set(value(resource), (counts.get(value(resource)) ?? 0) + 1);
  return Object.fromEntries([...counts].filter(([name]) => name !== ""));
}

/** What the last sync did, or does: the rows that failed come first. */
export function operationOf(status: Json): object | null {
  const state = partOf(status, "operationState");
  if (textOf(state, "phase") === "") return null;
  const result = partOf(state, "syncResult");
  const operation = partOf(state, "operation");
  const rows = itemsOf(result, "resources").map((row) => ({
    kind: textOf(row, "kind"),
    namespace: known(row, "namespace"),
    name: textOf(row, "name"),
    status: known(row, "status") ?? known(row, "hookPhase"),
    message: known(row, "message", MAX_MESSAGE),
  }));
  const failed = rows.filter(({ status: word }) => /fail|error/i.test(word ?? ""));
  const others = rows.filter((row) => !failed.includes(row));
  return {
    phase: textOf(state, "phase"),
    message: known(state, "message", MAX_MESSAGE),
    started: known(state, "startedAt"),
    finished: known(state, "finishedAt"),
    revision: known(result, "revision"),
    dry_run: partOf(operation, "sync")["dryRun"] === true,
    automated: partOf(operation, "initiatedBy")["automated"] === true,
    retries: Number(state["retryCount"] ?? 0),
    resources: [...failed, ...others].slice(0, MAX_ROWS),
    resources_total: rows.length,
  };
}

function historyOf(status: Json): readonly object[] {
  return itemsOf(status, "history")
    .slice(-MAX_HISTORY)
    .reverse()
    .map((entry) => ({
      id: Number(entry["id"] ?? 0),
      revision: known(entry, "revision"),
      revisions: listOf(entry["revisions"] ?? []).map((revision) => cutText(revision, 100)),
      deployed: known(entry, "deployedAt"),
      target_revision: known(partOf(entry, "source"), "targetRevision"),
      automated: partOf(entry, "initiatedBy")["automated"] === true,
    }));
}

function conditionsOf(status: Json): readonly object[] {
  return itemsOf(status, "conditions")
    .slice(0, MAX_ROWS)
    .map((condition) => ({
      type: textOf(condition, "type"),
      message: textOf(condition, "message", MAX_MESSAGE),
      since: known(condition, "lastTransitionTime"),
    }));
}

function lastOperation(status: Json): object {
  const state = partOf(status, "operationState");
  return {
    phase: known(state, "phase"),
    message: known(state, "message", MAX_MESSAGE),
    started: known(state, "startedAt"),
    finished: known(state, "finishedAt"),
  };
}

const policyOf = (automated: Json): object => ({
  prune: automated["prune"] === true,
  self_heal: automated["selfHeal"] === true,
});

function summaryOf(spec: Json, status: Json): object {
  const { automated } = partOf(spec, "syncPolicy");
  const summary = partOf(status, "summary");
  const texts = (name: string): readonly string[] =>
    listOf(summary[name] ?? [])
      .slice(0, MAX_LINKS)
      .map((text) => withoutAccount(cutText(text, 200)));
  const health = partOf(status, "health");
  return {
    project: textOf(spec, "project"),
    destination: destinationOf(spec),
    sources: sourcesOf(spec).slice(0, MAX_LINKS).map(sourceOf),
    sync: known(partOf(status, "sync"), "status"),
    revision: shortRevision(textOf(partOf(status, "sync"), "revision")) || undefined,
    health: known(health, "status"),
    health_message: known(health, "message", MAX_MESSAGE),
    automated: automated === undefined ? null : policyOf(recordOf(automated)),
    resources: countBy(itemsOf(status, "resources"), (resource) => textOf(resource, "status")),
    images: texts("images"),
    urls: texts("externalURLs"),
    last_operation: lastOperation(status),
    conditions: itemsOf(status, "conditions").length,
  };
}

export async function describeApplication(
  access: Access,
  application: Application,
  view: (typeof VIEWS)[number],
): Promise<object> {
  const found = await getApplication(access, application);
  const status = partOf(found, "status");
  const about = { name: application.name, namespace: application.namespace };
  if (view === "history") return { ...about, history: historyOf(status) };
  if (view === "conditions") return { ...about, conditions: conditionsOf(status) };
  if (view === "operation") return { ...about, operation: operationOf(status) };
  return { ...about, ...summaryOf(partOf(found, "spec"), status) };
}
