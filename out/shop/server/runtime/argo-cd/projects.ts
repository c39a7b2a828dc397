import { ask, itemsOf, known, partOf, textOf, withoutAccount } from "#runtime/argo-cd/api";
import type { Access, Json } from "#runtime/argo-cd/api";
import { cutText, listOf } from "#runtime/json-shape";

const MAX_ROWS = 20;

function texts(value: Json, name: string): readonly string[] {
  return listOf(value[name] ?? [])
    .slice(0, MAX_ROWS)
    .map((text) => withoutAccount(cutText(text, 300)));
}

function windowOf(window: Json): object {
  return {
    kind: textOf(window, "kind"),
    schedule: textOf(window, "schedule"),
    duration: textOf(window, "duration"),
    time_zone: known(window, "timeZone"),
    manual_sync: window["manualSync"] === true,
    applications: texts(window, "applications"),
    namespaces: texts(window, "namespaces"),
  };
}

function projectOf(item: Json): object {
  const spec = partOf(item, "spec");
  return {
    name: textOf(partOf(item, "metadata"), "name"),
    description: known(spec, "description", 500),
    source_repos: texts(spec, "sourceRepos"),
    destinations: itemsOf(spec, "destinations")
      .slice(0, MAX_ROWS)
      .map((each) => ({
        namespace: known(each, "namespace"),
        cluster: known(each, "name") ?? known(each, "server"),
      })),
    windows: itemsOf(spec, "syncWindows").slice(0, MAX_ROWS).map(windowOf),
  };
}

/** The drawn projects that the account sees. */
export async function listProjects(access: Access, drawn: readonly string[]): Promise<readonly object[]> {
  const answer = await ask(access, ["projects"], { fields: "items.metadata.name,items.spec" });
  return itemsOf(answer, "items")
    .map((item) => ({ item, name: textOf(partOf(item, "metadata"), "name") }))
    .filter(({ name }) => drawn.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ item }) => projectOf(item));
}
