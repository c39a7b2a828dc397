import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_NAME = 200;
const MAX_TEXT = 500;
const MAX_QUERY = 2000;
const MAX_QUERIES = 20;
const MAX_NAMES = 50;

type Json = Readonly<Record<string, unknown>>;

/** Where data sources keep the text of a query. */
const QUERY_FIELDS = ["expr", "rawSql", "query", "rawQuery", "target", "queryText"] as const;

interface Query {
  readonly ref: string;
  readonly query: string;
}

function queryOf(value: unknown, max: number): Query {
  const { refId, datasource: _, ...rest } = recordOf(value);
  const field = QUERY_FIELDS.find((name) => typeof rest[name] === "string" && rest[name] !== "");
  const query = field === undefined ? JSON.stringify(rest) : rest[field];
  return { ref: cutText(refId, 20), query: cutText(query, max) };
}

/** A data source is named by an object, by its name, or left to Grafana's default. */
function datasourceOf(value: unknown): string {
  if (typeof value === "string") return cutText(value, MAX_NAME);
  return value === null || value === undefined ? "" : cutText(recordOf(value)["uid"], MAX_NAME);
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource: string;
  readonly queries: readonly Query[];
}

function panelOf(value: unknown, max: number): Panel {
  const panel = recordOf(value);
  return {
    id: Number(panel["id"] ?? 0),
    title: cutText(panel["title"], MAX_NAME),
    type: cutText(panel["type"], MAX_NAME),
    datasource: datasourceOf(panel["datasource"]),
    queries: listOf(panel["targets"] ?? [])
      .slice(0, MAX_QUERIES)
      .map((target) => queryOf(target, max)),
  };
}

/** All panels; a folded row holds its own. */
function rawPanels(dashboard: Json): readonly Json[] {
  return listOf(dashboard["panels"] ?? []).flatMap((each) => {
    const panel = recordOf(each);
    return [panel, ...listOf(panel["panels"] ?? []).map(recordOf)];
  });
}

export const panelsOf = (dashboard: Json): readonly Panel[] =>
  rawPanels(dashboard)
    .filter(({ type }) => type !== "row")
    .map((panel) => panelOf(panel, MAX_TEXT));

/** One panel with whole queries, its unit and its thresholds. */
export function panelWith(dashboard: Json, id: number): object | undefined {
  const found = rawPanels(dashboard).find((panel) => panel["id"] === id);
  if (found === undefined) return undefined;
  const { defaults } = recordOf(found["fieldConfig"] ?? {});
  const { unit, thresholds } = recordOf(defaults ?? {});
  return {
    ...panelOf(found, MAX_QUERY),
    description: cutText(found["description"], MAX_TEXT),
    unit: cutText(unit, MAX_NAME),
    thresholds: cutText(JSON.stringify(thresholds ?? null), MAX_TEXT),
    transformations: listOf(found["transformations"] ?? [])
      .slice(0, MAX_QUERIES)
      .map((each) => cutText(recordOf(each)["id"], MAX_NAME)),
  };
}

const rawVariables = (dashboard: Json): readonly Json[] =>
  listOf(recordOf(dashboard["templating"] ?? {})["list"] ?? []).map(recordOf);

/** Variables with what they ask for and what is chosen when the dashboard opens. */
export function variablesOf(dashboard: Json): readonly object[] {
  return rawVariables(dashboard).map(({ name, type, label, datasource, query, definition, current }) => {
    const chosen = recordOf(current ?? {})["value"];
    const asked = typeof query === "string" ? query : (definition ?? JSON.stringify(query ?? ""));
    return {
      name: cutText(name, MAX_NAME),
      type: cutText(type, MAX_NAME),
      label: cutText(label, MAX_NAME),
      datasource: datasourceOf(datasource),
      query: cutText(asked, MAX_TEXT),
      current: cutText(typeof chosen === "string" ? chosen : JSON.stringify(chosen ?? ""), MAX_TEXT),
    };
  });
}

/** What a dashboard is about, without its panels. */
export function summaryOf(dashboard: Json, meta: Json): object {
  const panels = panelsOf(dashboard);
  const types = new Map<string, number>();
  for (const { type } of panels) types.set(type, (types.get(type) ?? 0) + 1);
  const { from, to } = recordOf(dashboard["time"] ?? {});
  return {
    uid: cutText(dashboard["uid"], MAX_NAME),
    title: cutText(dashboard["title"], MAX_NAME),
    description: cutText(dashboard["description"], MAX_TEXT),
    folder: cutText(meta["folderTitle"], MAX_NAME),
    updated: cutText(meta["updated"], MAX_NAME),
    version: Number(dashboard["version"] ?? 0),
    tags: listOf(dashboard["tags"] ?? [])
      .slice(0, MAX_NAMES)
      .map((tag) => cutText(tag, MAX_NAME)),
    time: { from: cutText(from, MAX_NAME), to: cutText(to, MAX_NAME) },
    panels: panels.length,
    panel_types: Object.fromEntries([...types].slice(0, MAX_NAMES)),
    datasources: [...new Set(panels.map(({ datasource }) => datasource))]
      .filter((uid) => uid !== "")
      .slice(0, MAX_NAMES),
    variables: rawVariables(dashboard)
      .slice(0, MAX_NAMES)
      .map(({ name }) => cutText(name, MAX_NAME)),
  };
}
