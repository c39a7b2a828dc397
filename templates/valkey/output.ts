import { defineOutput } from "#hook";
import type { McpLink } from "#contract";
import { accountOf, keyspacesOf } from "./component.ts";

const TEMPLATE = "templates/valkey/principal.acl.hbs";

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

/** The account of each link, as a command that an administrator runs. */
export default defineOutput({
  name: "valkey",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "valkey")
      .map(({ link, tools }) => ({
        kind: "rendered",
        path: `principals/${link.component.name}/valkey.acl`,
        from: TEMPLATE,
        view: accountView(
          link,
          tools.map(({ effect }) => effect),
        ),
      })),
});
