import { ask, askMetrics, askSilence, deleteSilence } from "#runtime/alertmanager/api";
import type { Context } from "#runtime/alertmanager/api";
import { MAX_IN_GROUP, alertOf, groupOf, newestFirst } from "#runtime/alertmanager/alerts";
import {
  MATCHER,
  MAX_MATCHERS,
  demandSubject,
  filterOf,
  writtenMatcher,
} from "#runtime/alertmanager/matcher";
import type { Matcher } from "#runtime/alertmanager/matcher";
import { compareSilences, silenceOf } from "#runtime/alertmanager/silences";
import { statusOf } from "#runtime/alertmanager/status";
import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import { cutText, listOf as itemsOf, recordOf } from "#runtime/json-shape";
import { offsetOf, pageFrom } from "#runtime/page";
import { footerOf } from "#runtime/marker";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { secondsOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { LinkFacts } from "#runtime/tool";

export const link: LinkFacts = slot("link", {
  id: "mcp->alertmanager",
  component: "alertmanager",
  type: "alertmanager",
  env: "MCP_ALERTMANAGER",
  host: "127.0.0.1",
  port: 9093,
});

/** Components and namespaces of the drawing: what a silence may be for without naming one alert. */
export const drawnNames: readonly string[] = slot("drawnNames", ["alertmanager", "monitoring", "shop"]);

const MAX_ALERTS = 100;
const MAX_GROUPS = 20;
const MIN_SILENCE_S = 300;
const MAX_SILENCE_S = 86_400;

const matcher = shaped<Matcher>(MATCHER, {});
const cursor = text({ max: 256, optional: true });
const limit = integer({ min: 1, max: MAX_ALERTS, default: 25 });

/** The text as a regular expression, which is what the server takes a receiver for. */
function literally(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/gu, "\\$&");
}

const listAlerts = defineTool({
  name: named("am_list_alerts"),
  title: "List alerts",
  description:
    "Use first in an incident: alerts with state, labels, since, summary and receivers, newest first. silenced and inhibited add those that nobody is told about.",
  effect: "read",
  parameters: {
    active: flag({ default: true }),
    silenced: flag({ default: false }),
    inhibited: flag({ default: false }),
    matchers: listOf(matcher, { max: MAX_MATCHERS, default: [] }),
    receiver: text({ min: 1, max: 200, optional: true }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("am_list_alerts");
    const offset = offsetOf(tool, search, cursor);
    const query = {
      active: search.active,
      silenced: search.silenced,
      inhibited: search.inhibited,
      unprocessed: search.active,
      filter: search.matchers.map(filterOf),
      receiver: search.receiver === undefined ? undefined : literally(search.receiver),
    };
    const found = newestFirst(itemsOf(await ask(context, ["alerts"], { query })).map(alertOf));
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { alerts: items } };
  },
});

const alertGroups = defineTool({
  name: named("am_alert_groups"),
  title: "List alert groups",
  description: `Use to see what belongs together, as it is sent to each receiver: counts by state and the newest ${MAX_IN_GROUP} alerts of a group.`,
  effect: "read",
  parameters: { limit: integer({ min: 1, max: MAX_GROUPS, default: 5 }), cursor },
  handler: async ({ limit, cursor }, context: Context) => {
    const tool = named("am_alert_groups");
    const offset = offsetOf(tool, {}, cursor);
    const found = itemsOf(await ask(context, ["alerts", "groups"])).map(groupOf);
    const { items, about } = pageFrom(found, limit, { tool, args: {}, offset, total: found.length });
    return { ...about, data: { groups: items } };
  },
});

const listSilences = defineTool({
  name: named("am_list_silences"),
  title: "List silences",
  description: "Use to see what is silenced, by whom, why and until when; the first to end comes first.",
  effect: "read",
  parameters: {
    state: oneOf(["active", "pending", "expired", "all"], { default: "active" }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("am_list_silences");
    const offset = offsetOf(tool, search, cursor);
    const found = itemsOf(await ask(context, ["silences"]))
      .map(silenceOf)
      .filter(({ state }) => search.state === "all" || search.state === state)
      .sort(compareSilences);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { silences: items } };
  },
});

const status = defineTool({
  name: named("am_status"),
  title: "Server status",
  description:
    "Use when alerts do not arrive: version, start, cluster members, and whether the last reload of the configuration worked.",
  effect: "read",
  parameters: {},
  handler: async (_, context: Context) => ({ data: statusOf(await askMetrics(context)) }),
});

const listReceivers = defineTool({
  name: named("am_list_receivers"),
  title: "List receivers",
  description: "Use to see the names that alerts are sent to, without where that is.",
  effect: "read",
  parameters: { limit, cursor },
  handler: async ({ limit, cursor }, context: Context) => {
    const tool = named("am_list_receivers");
    const offset = offsetOf(tool, {}, cursor);
    const found = itemsOf(await ask(context, ["receivers"])).map((each) =>
      cutText(recordOf(each)["name"], 200),
    );
    const { items, about } = pageFrom(found, limit, { tool, args: {}, offset, total: found.length });
    return { ...about, data: { receivers: items } };
  },
});

const dryRun = flag({ default: true, doc: "false to change something" });

function durationOf(duration: string): number {
  const seconds = secondsOf(duration);
  if (seconds !== undefined && seconds >= MIN_SILENCE_S && seconds <= MAX_SILENCE_S) return seconds;
  throw new ToolFault("invalid_argument", "duration must be within 5m and 24h", {
    hint: "for example 30m or 2h",
  });
}

const createSilence = defineTool({
  name: named("am_create_silence"),
  title: "Silence alerts",
  description: `Use to stop notifications for a while, 5m to 24h; reason becomes the comment. One matcher must be alertname="..." or have = on a drawn component or namespace. dry_run=true, the default, only counts the alerts that match now.`,
  effect: "additive",
  parameters: {
    matchers: listOf(matcher, { min: 1, max: MAX_MATCHERS }),
    duration: text({ max: 20, default: "1h" }),
    dry_run: dryRun,
    reason: text({ min: 8, max: 500, doc: "Why, for the silence and the audit." }),
  },
  handler: async ({ matchers, duration, dry_run, reason }, context: Context) => {
    demandSubject(matchers, drawnNames);
    const seconds = durationOf(duration);
    const matching = itemsOf(await ask(context, ["alerts"], { query: { filter: matchers.map(filterOf) } }));
    const now = Date.now();
    const ends = new Date(now + seconds * 1000).toISOString();
    const data = { dry_run, matches_now: matching.length, ends_at: ends };
    if (dry_run) return { data: { ...data, id: null } };
    const json = {
      matchers: matchers.map(writtenMatcher),
      startsAt: new Date(now).toISOString(),
      endsAt: ends,
      createdBy: link.id,
      comment: context.marker === undefined ? reason : `${reason}\n\n${footerOf(context.marker)}`,
    };
    const { silenceID } = recordOf(await ask(context, ["silences"], { json }));
    return { data: { ...data, id: cutText(silenceID, 40) } };
  },
});

const expireSilence = defineTool({
  name: named("am_expire_silence"),
  title: "End a silence",
  description:
    "Use to end a silence before its time, by the id that the list of silences gives; its alerts are sent again. dry_run=true, the default, only shows it.",
  effect: "destructive",
  parameters: {
    id: text({ max: 36, pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }),
    dry_run: dryRun,
    reason: text({ min: 8, max: 500, doc: "Why, for the audit." }),
  },
  handler: async ({ id, dry_run }, context: Context) => {
    const silence = silenceOf(await askSilence(context, id));
    if (silence.state === "expired") throw new ToolFault("invalid_argument", "the silence has ended already");
    if (!dry_run) await deleteSilence(context, id);
    return { data: { dry_run, expired: !dry_run, silence } };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [listAlerts, alertGroups, listSilences, status, listReceivers, createSilence, expireSilence],
});
