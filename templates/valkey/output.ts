import { defineOutput, factsOf, shellWord } from "#hook";
import type { FileSpec, LinkModule, Report } from "#hook";
import type { McpLink } from "#contract";
import type stateHook from "../../hooks/state.ts";
import type { StateFacts } from "../../hooks/state.ts";
import { accountOf, keyspacesOf } from "./component.ts";

const HERE = "templates/valkey";

/**
 * What the link's own account may do; `effects` are those of the tools that the link keeps.
 *
 * A link that stays in database 0 needs no SELECT, because a connection starts there.
 */
export function accountView(link: McpLink, effects: readonly string[]): object {
  const keyspaces = keyspacesOf(link);
  const everyKey = keyspaces.length === 0;
  const canWrite = effects.some((effect) => effect !== "read");
  const areas = everyKey
    ? [{ prefix: "", database: Number(link.component.attributes["db"] ?? 0), writable: true }]
    : keyspaces;
  const prefixes = (writable: boolean): readonly string[] =>
    areas.filter((area) => (canWrite && area.writable) === writable).map(({ prefix }) => prefix);
  const databases = [...new Set(areas.map(({ database }) => database))].sort((x, y) => x - y);
  return {
    account: accountOf(link),
    everyKey,
    readable: prefixes(false),
    writable: prefixes(true),
    databases: databases.every((database) => database === 0) ? [] : databases,
    canSet: effects.includes("additive"),
    canDelete: effects.includes("destructive"),
  };
}

/** What the README says: the keys by prefix, and the two commands that an administrator runs. */
function readmeView({ link, environment, tools }: LinkModule): object {
  const { name, host, port } = link.component;
  const account = accountOf(link);
  const effects = tools.map(({ effect }) => effect);
  const keyspaces = keyspacesOf(link);
  const areas = keyspaces.map(
    ({ prefix, writable }) => `${prefix}* ${writable ? "for writing" : "for reading"}`,
  );
  const databases = [...new Set(keyspaces.map(({ database }) => database))].sort((x, y) => x - y);
  const cli = `redis-cli -h ${shellWord(host ?? name)} -p ${port ?? 6379} --user admin`;
  return {
    component: name,
    account,
    keys: areas.length === 0 ? "every key" : `the keys ${areas.join(", ")}`,
    databases: databases.join(", "),
    hasDatabases: databases.some((database) => database !== 0),
    rights: `${cli} < ${shellWord(`principals/${name}/valkey.acl`)}`,
    password: `printf '>%s' "$${environment}_PASSWORD" | ${cli} -x ACL SETUSER ${account}`,
    never: [
      ...(effects.some((effect) => effect !== "read") ? [] : ["writing"]),
      ...(areas.length === 0 ? [] : ["other keys"]),
    ].map((what) => `${what}, `),
    hasForeign: areas.length > 0,
  };
}

/** The account with which the server's replicas share state: on its own keys, and no others. */
function stateFiles({ account, component, database, prefix }: StateFacts): FileSpec[] {
  const { name, host, port } = component;
  const folder = `principals/${name}`;
  const cli = `redis-cli -h ${shellWord(host ?? name)} -p ${port ?? 6379} --user admin`;
  return [
    {
      kind: "rendered",
      path: `${folder}/state.acl`,
      from: `${HERE}/state.acl.hbs`,
      view: { account, prefix, databases: database === 0 ? [] : [database] },
    },
    {
      kind: "rendered",
      path: `${folder}/state.md`,
      from: `${HERE}/state-readme.md.hbs`,
      view: {
        component: name,
        account,
        keys: `${prefix}*`,
        rights: `${cli} < ${shellWord(`${folder}/state.acl`)}`,
        password: `printf '>%s' "$MCP_REPLICA_STATE_PASSWORD" | ${cli} -x ACL SETUSER ${account}`,
      },
    },
  ];
}

/** A tool that could write where approvals are kept could approve what AI proposed. */
function reportReach(link: McpLink, state: StateFacts, report: Report): void {
  if (link.component.name !== state.component.name) return;
  const keyspaces = keyspacesOf(link);
  const reaches = ({ prefix }: { readonly prefix: string }): boolean =>
    prefix.startsWith(state.prefix) || state.prefix.startsWith(prefix);
  if (keyspaces.length > 0 && !keyspaces.some(reaches)) return;
  report(
    "E-ACCESS",
    `the tools of ${link.id} would reach the keys ${state.prefix}*, with which the server's replicas share approvals: draw keyspaces with other prefixes, or name another component as state`,
    link.path,
  );
}

/** The account of each link, as a command that an administrator runs. */
export default defineOutput({
  name: "valkey",
  files: (_topology, facts, { links }) => {
    const state = factsOf<typeof stateHook>(facts, "state");
    const accounts = links
      .filter(({ module }) => module.folder === "valkey")
      .flatMap((module): FileSpec[] => {
        const { link, tools } = module;
        const folder = `principals/${link.component.name}`;
        const rights = accountView(
          link,
          tools.map(({ effect }) => effect),
        );
        return [
          {
            kind: "rendered",
            path: `${folder}/README.md`,
            from: `${HERE}/principal-readme.md.hbs`,
            view: readmeView(module),
          },
          { kind: "rendered", path: `${folder}/valkey.acl`, from: `${HERE}/principal.acl.hbs`, view: rights },
        ];
      });
    return [...accounts, ...(state === null ? [] : stateFiles(state))];
  },
  summary: (_emitted, _topology, facts, { links }, report) => {
    const state = factsOf<typeof stateHook>(facts, "state");
    const own = links.filter(({ module }) => module.folder === "valkey");
    if (state !== null) for (const { link } of own) reportReach(link, state, report);
    return [];
  },
});
