import { ToolFault } from "#runtime/fault";
import { MAX_INSTANCES, STATES, alertsOf } from "#runtime/grafana/alerts";
import { addAnnotation, ask, openGrafana } from "#runtime/grafana/api";
import { panelWith, panelsOf, summaryOf, variablesOf } from "#runtime/grafana/dashboard";
import type { HttpService } from "#runtime/http";
import { cutText, foreignAnswer, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { offsetOf, pageFrom } from "#runtime/page";
import type { Page } from "#runtime/page";
import { footerOf } from "#runtime/marker";
import { integer, listOf, oneOf, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { timeOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

export const link: LinkFacts = slot("link", {
  id: "mcp->grafana",
  component: "grafana",
  type: "grafana",
  env: "MCP_GRAFANA",
  host: "127.0.0.1",
  port: 3000,
});

/** More than these Grafana gives in no single answer. */
const MOST_DASHBOARDS = 5000;
const MOST_FOLDERS = 1000;
const MAX_NAME = 200;
const MAX_PANELS = 50;
const MAX_ANNOTATION = 2000;
const MAX_TAGS = 10;
const TAG = "mcp";
const UID = "^[A-Za-z0-9_-]{1,40}$";

const cursor = text({ max: 256, optional: true });
const optionalUid = text({ max: 40, pattern: UID, optional: true });

interface Listing {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly offset: number;
  readonly limit: number;
  /** How many items were asked for, and how many the service gives at most. */
  readonly asked: number;
  readonly most: number;
}

/** A page of a list of which the service was asked for one more than the page needs. */
function pageOf<T>(items: readonly T[], { tool, args, offset, limit, asked, most }: Listing): Page<T> {
  const total = items.length < asked ? items.length : null;
  const page = pageFrom(items, limit, { tool, args, offset, total });
  if (page.about.truncation !== undefined || items.length < most) return page;
  const hint = "Grafana lists no more: narrow the search";
  return { ...page, about: { ...page.about, truncation: { by: "upstream", limit: most, hint } } };
}

const listDashboards = defineTool({
  name: named("grafana_list_dashboards"),
  title: "List dashboards",
  description: `Use to find a dashboard by words of its title, tag or folder: uid, title, folder, tags and path. Of at most ${MOST_DASHBOARDS}.`,
  effect: "read",
  parameters: {
    query: text({ max: MAX_NAME, optional: true }),
    tag: listOf(text({ min: 1, max: 100 }), { max: 5, default: [] }),
    folder_uid: optionalUid,
    limit: integer({ min: 1, max: 200, default: 50 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("grafana_list_dashboards");
    const offset = offsetOf(tool, search, cursor);
    const asked = Math.min(offset + limit + 1, MOST_DASHBOARDS);
    const { query, tag, folder_uid } = search;
    const filter = { type: "dash-db", query, tag, folderUIDs: folder_uid, limit: asked };
    const found = itemsOf(await ask(client, ["search"], filter, signal)).map((each) => {
      const { uid, title, folderTitle, folderUid, tags, url } = recordOf(each);
      return {
        uid: cutText(uid, MAX_NAME),
        title: cutText(title, MAX_NAME),
        folder: cutText(folderTitle, MAX_NAME),
        folder_uid: cutText(folderUid, MAX_NAME),
        tags: itemsOf(tags ?? [])
          .slice(0, MAX_TAGS)
          .map((each) => cutText(each, 100)),
        path: cutText(url, MAX_NAME),
      };
    });
    const listing = { tool, args: search, offset, limit, asked, most: MOST_DASHBOARDS };
    const { items, about } = pageOf(found, listing);
    return { ...about, data: { dashboards: items } };
  },
});

const getDashboard = defineTool({
  name: named("grafana_get_dashboard"),
  title: "Read a dashboard",
  description: `Use to learn how something is measured. summary: what it shows; panels: title, type, data source and queries, ${MAX_PANELS} a page; variables; panel: one panel with whole queries, unit and thresholds.`,
  effect: "read",
  parameters: {
    uid: text({ max: 40, pattern: UID }),
    view: oneOf(["summary", "panels", "variables", "panel"], { default: "summary" }),
    panel_id: integer({ min: 0, max: 1_000_000_000, optional: true }),
    cursor,
  },
  handler: async ({ cursor, ...search }, { client, signal }: Context) => {
    const tool = named("grafana_get_dashboard");
    const { uid, view, panel_id } = search;
    const offset = offsetOf(tool, search, cursor);
    if (view === "panel" && panel_id === undefined)
      throw new ToolFault("invalid_argument", "view=panel needs panel_id", {
        hint: "view=panels lists them",
      });
    const answer = recordOf(await ask(client, ["dashboards", "uid", uid], {}, signal));
    const dashboard = recordOf(answer["dashboard"]);
    if (view === "summary") return { data: summaryOf(dashboard, recordOf(answer["meta"] ?? {})) };
    if (view === "panel") {
      const panel = panelWith(dashboard, panel_id ?? 0);
      if (panel === undefined)
        throw new ToolFault("not_found", "the dashboard has no such panel", {
          hint: "view=panels lists them",
        });
      return { data: { panel } };
    }
    const all = view === "panels" ? panelsOf(dashboard) : variablesOf(dashboard);
    const at = { tool, args: search, offset, total: all.length };
    const { items, about } = pageFrom<object>(all, MAX_PANELS, at);
    return { ...about, data: { [view]: items } };
  },
});

const listDatasources = defineTool({
  name: named("grafana_list_datasources"),
  title: "List data sources",
  description:
    "Use to see where dashboards get their data: uid, name, type, is_default, read_only. Addresses and settings are left out.",
  effect: "read",
  parameters: {
    type: text({ max: MAX_NAME, optional: true }),
    limit: integer({ min: 1, max: 200, default: 50 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("grafana_list_datasources");
    const offset = offsetOf(tool, search, cursor);
    const found = itemsOf(await ask(client, ["datasources"], {}, signal))
      .map((each) => {
        const { uid, name, type, isDefault, readOnly } = recordOf(each);
        return {
          uid: cutText(uid, MAX_NAME),
          name: cutText(name, MAX_NAME),
          type: cutText(type, MAX_NAME),
          is_default: isDefault === true,
          read_only: readOnly === true,
        };
      })
      .filter(({ type }) => (search.type ?? type) === type)
      .sort((a, b) => (`${a.name} ${a.uid}` < `${b.name} ${b.uid}` ? -1 : 1));
    const at = { tool, args: search, offset, total: found.length };
    const { items, about } = pageFrom(found, limit, at);
    return { ...about, data: { datasources: items } };
  },
});

const getAlerts = defineTool({
  name: named("grafana_get_alerts"),
  title: "List alerts",
  description: `Use in an incident: Grafana's own rules that fire, fail, lack data or are pending, in this order, with totals and at most ${MAX_INSTANCES} instances each. folder is a title or uid.`,
  effect: "read",
  parameters: {
    state: oneOf(STATES, { optional: true }),
    folder: text({ max: MAX_NAME, optional: true }),
    limit: integer({ min: 1, max: 200, default: 50 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("grafana_get_alerts");
    const offset = offsetOf(tool, search, cursor);
    // Servers that know the parameter put the most urgent instances first; others send all.
    const query = { limit_alerts: MAX_INSTANCES };
    const answer = recordOf(
      await ask(client, ["prometheus", "grafana", "api", "v1", "rules"], query, signal),
    );
    if (answer["status"] !== "success") throw foreignAnswer();
    const found = alertsOf(answer["data"], search);
    const at = { tool, args: search, offset, total: found.length };
    const { items, about } = pageFrom(found, limit, at);
    return { ...about, data: { rules: items } };
  },
});

const listFolders = defineTool({
  name: named("grafana_list_folders"),
  title: "List folders",
  description: `Use to see how dashboards are ordered: uid, title and parent of the folders below parent_uid, or at the top. Of at most ${MOST_FOLDERS}.`,
  effect: "read",
  parameters: { parent_uid: optionalUid, limit: integer({ min: 1, max: 500, default: 100 }), cursor },
  handler: async ({ limit, cursor, ...search }, { client, signal }: Context) => {
    const tool = named("grafana_list_folders");
    const offset = offsetOf(tool, search, cursor);
    const asked = Math.min(offset + limit + 1, MOST_FOLDERS);
    const query = { parentUid: search.parent_uid, limit: asked };
    const found = itemsOf(await ask(client, ["folders"], query, signal)).map((each) => {
      const { uid, title, parentUid } = recordOf(each);
      return {
        uid: cutText(uid, MAX_NAME),
        title: cutText(title, MAX_NAME),
        parent: cutText(parentUid, MAX_NAME),
      };
    });
    const { items, about } = pageOf(found, { tool, args: search, offset, limit, asked, most: MOST_FOLDERS });
    return { ...about, data: { folders: items } };
  },
});

const reason = text({ min: 8, max: 500, doc: "Why, for the audit." });

/** Milliseconds of the moment or the region that the annotation marks. */
function momentsOf(
  time: string,
  time_end: string | undefined,
): { readonly time: number; readonly timeEnd?: number } {
  const now = Date.now();
  const at = (value: string, name: string): number => Math.round(timeOf(value, name, now) * 1000);
  const start = at(time, "time");
  if (time_end === undefined) return { time: start };
  const end = at(time_end, "time_end");
  if (end < start) throw new ToolFault("invalid_argument", "time_end is before time");
  return { time: start, timeEnd: end };
}

const createAnnotation = defineTool({
  name: named("grafana_create_annotation"),
  title: "Mark a moment",
  description: `Use to mark a deployment or an incident on a dashboard, or on all that show these tags; the tag ${TAG} is added. At most ${MAX_ANNOTATION} characters. It cannot be taken back here.`,
  effect: "additive",
  parameters: {
    text: text({ min: 1, max: MAX_ANNOTATION }),
    tags: listOf(text({ min: 1, max: 50 }), { min: 1, max: MAX_TAGS }),
    dashboard_uid: optionalUid,
    panel_id: integer({ min: 0, max: 1_000_000_000, optional: true }),
    time: text({ max: 40, default: "now" }),
    time_end: text({ max: 40, optional: true }),
    reason,
  },
  handler: async (args, { client, signal, marker }: Context) => {
    const { text, dashboard_uid, panel_id, time, time_end } = args;
    if (panel_id !== undefined && dashboard_uid === undefined)
      throw new ToolFault("invalid_argument", "panel_id needs dashboard_uid");
    const tags = [...new Set([...args.tags, TAG])];
    const annotation = {
      text: marker === undefined ? text : `${text}\n\n${footerOf(marker)}`,
      tags,
      dashboardUID: dashboard_uid,
      panelId: panel_id,
      ...momentsOf(time, time_end),
    };
    const { id } = recordOf(await addAnnotation(client, annotation, signal));
    if (!Number.isSafeInteger(id)) throw foreignAnswer();
    return { data: { id, tags } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openGrafana(link, settings),
  close: async () => undefined,
  tools: [listDashboards, getDashboard, listDatasources, getAlerts, listFolders, createAnnotation],
});
