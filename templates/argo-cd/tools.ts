import { listEvents } from "#runtime/argo-cd/events";
import type { Access, Application } from "#runtime/argo-cd/api";
import { MAX_HISTORY, VIEWS, describeApplication } from "#runtime/argo-cd/application";
import { FEW, HEALTH, SYNC, findApplications, rowsOf } from "#runtime/argo-cd/list";
import { listProjects } from "#runtime/argo-cd/projects";
import { listResources } from "#runtime/argo-cd/resources";
import { MAX_WAIT_S, syncApplication } from "#runtime/argo-cd/sync";
import type { SyncResource } from "#runtime/argo-cd/sync";
import { ToolFault } from "#runtime/fault";
import { openHttp } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { offsetOf, pageFrom } from "#runtime/page";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { named, slot } from "#runtime/slot";
import { secondsOf } from "#runtime/time";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

type Context = CallContext<HttpService>;

export const link: LinkFacts = slot("link", {
  id: "mcp->argo_cd",
  component: "argo_cd",
  type: "argo_cd",
  env: "MCP_ARGOCD",
  host: "127.0.0.1",
  port: 8080,
});

/** The drawn applications: there is no way to another one. */
export const applications: readonly Application[] = slot("applications", [
  { name: "shop", namespace: "argocd", project: "default" },
  { name: "shop-infra", namespace: "argocd", project: "platform" },
]);

/** The projects of these. */
export const projects: readonly string[] = slot("projects", ["default", "platform"]);

/** Names of the applications that were drawn with propose or write. */
export const writable: readonly string[] = slot("writable", ["shop"]);

const MAX_ROWS = 200;
const NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
const name = oneOf(
  applications.map(({ name }) => name),
  {},
);
const health = oneOf(HEALTH, { optional: true });
const limit = integer({ min: 1, max: MAX_ROWS, default: 50 });
const cursor = text({ max: 256, optional: true });

const accessOf = ({ client, signal }: Context): Access => ({ argo: client, signal });

function drawnApplication(name: string): Application {
  const found = applications.find((candidate) => candidate.name === name);
  if (found === undefined) throw new ToolFault("not_linked", "the application is not drawn for this link");
  return found;
}

const listApplications = defineTool({
  name: named("argocd_list_applications"),
  title: "List applications",
  description: `Use to see what is deployed and whether it is well: sync, health, images, last operation, and on pages of up to ${FEW} also project, destination and the revision it follows. namespace is where it deploys to.`,
  effect: "read",
  parameters: {
    project: oneOf(projects, { optional: true }),
    sync: oneOf(SYNC, { optional: true }),
    health,
    namespace: text({ max: 63, pattern: NAME, optional: true }),
    name_contains: text({ min: 1, max: 100, optional: true }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("argocd_list_applications");
    const offset = offsetOf(tool, search, cursor);
    const found = await findApplications(accessOf(context), search, applications);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { applications: await rowsOf(accessOf(context), items) } };
  },
});

const getApplication = defineTool({
  name: named("argocd_get_application"),
  title: "Describe an application",
  description: `Use to look closer at one application: summary (source, sync, health), history (the last ${MAX_HISTORY} deployments), conditions (errors), or operation (what the last sync did to each resource).`,
  effect: "read",
  parameters: { name, view: oneOf(VIEWS, { default: "summary" }) },
  handler: async ({ name, view }, context: Context) => ({
    data: await describeApplication(accessOf(context), drawnApplication(name), view),
  }),
});

const getResources = defineTool({
  name: named("argocd_get_app_resources"),
  title: "List an application's resources",
  description:
    "Use to see what an application consists of, pods included, and which parts are unhealthy or out of sync: these come first. Of Secrets only the names.",
  effect: "read",
  parameters: {
    name,
    kind: text({ min: 1, max: 63, pattern: "^[A-Za-z][A-Za-z0-9]*$", optional: true }),
    health,
    only_unhealthy: flag({ default: false, doc: "Or out of sync" }),
    limit: integer({ min: 1, max: 500, default: 100 }),
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("argocd_get_app_resources");
    const offset = offsetOf(tool, search, cursor);
    const found = await listResources(accessOf(context), drawnApplication(search.name), search);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { resources: items } };
  },
});

const projectList = defineTool({
  name: named("argocd_list_projects"),
  title: "List projects",
  description:
    "Use to see what a project permits: repositories, destinations, and the windows in which syncing is allowed or denied.",
  effect: "read",
  parameters: { limit, cursor },
  handler: async ({ limit, cursor }, context: Context) => {
    const tool = named("argocd_list_projects");
    const offset = offsetOf(tool, {}, cursor);
    const found = await listProjects(accessOf(context), projects);
    const { items, about } = pageFrom(found, limit, { tool, args: {}, offset, total: found.length });
    return { ...about, data: { projects: items } };
  },
});

const getEvents = defineTool({
  name: named("argocd_get_app_events"),
  title: "List an application's events",
  description:
    "Use to see what happened to an application, newest first; resource narrows to one of its resources, as Kind/name.",
  effect: "read",
  parameters: {
    name,
    resource: text({
      min: 1,
      max: 320,
      pattern: "^([A-Za-z][A-Za-z0-9]*/)?[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$",
      optional: true,
    }),
    since: text({ max: 20, default: "1h", doc: "A duration: 30m, 6h" }),
    limit,
    cursor,
  },
  handler: async ({ limit, cursor, ...search }, context: Context) => {
    const tool = named("argocd_get_app_events");
    const offset = offsetOf(tool, search, cursor);
    const seconds = secondsOf(search.since);
    if (seconds === undefined)
      throw new ToolFault("invalid_argument", "since is not a duration", {
        hint: "for example 30m, 6h or 1d",
      });
    const from = Date.now() / 1000 - seconds;
    const found = await listEvents(accessOf(context), drawnApplication(search.name), search.resource, from);
    const { items, about } = pageFrom(found, limit, { tool, args: search, offset, total: found.length });
    return { ...about, data: { events: items } };
  },
});

const part = { type: "string", pattern: "^[A-Za-z0-9.:-]{0,253}$" };
const resources = listOf(
  shaped<SyncResource>(
    {
      type: "object",
      properties: { group: part, kind: part, namespace: part, name: part },
      required: ["kind", "name"],
      additionalProperties: false,
    },
    {},
  ),
  { max: 20, default: [] },
);

const sync = defineTool({
  name: named("argocd_sync_application"),
  title: "Sync an application",
  description: `Use to apply what stands in Git, or a revision of the history; dry_run=true, the default, only tries it. prune=true also deletes what is no longer in Git. Waits ${MAX_WAIT_S} s; finished=false: it goes on.`,
  effect: "destructive",
  timeoutMs: 60_000,
  parameters: {
    name: oneOf(writable, {}),
    revision: text({ min: 1, max: 200, pattern: "^[A-Za-z0-9][A-Za-z0-9._/+-]*$", optional: true }),
    dry_run: flag({ default: true, doc: "false to change something" }),
    prune: flag({ default: false }),
    resources,
    reason: text({ min: 8, max: 500, doc: "Why, for the audit." }),
  },
  handler: async ({ name, revision, dry_run, prune, resources }, context: Context) => {
    const wanted = { revision, dry_run, prune, resources };
    return { data: await syncApplication(accessOf(context), drawnApplication(name), wanted) };
  },
});

export const tools = defineModule({
  link,
  open: (settings) => openHttp(link, settings),
  close: async () => undefined,
  tools: [listApplications, getApplication, getResources, projectList, getEvents, sync],
});
