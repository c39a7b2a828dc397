import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountOf, indicesOf, urlOf } from "./component.ts";

const HERE = "templates/opensearch";

/** Documents only where an index was drawn; health, names and sizes of what the link reaches. */
const CLUSTER = [
  "cluster:monitor/health",
  "cluster:monitor/state",
  "cluster:monitor/shards",
  "cluster:monitor/allocation/explain",
];
const LOOK = ["indices:monitor/settings/get", "indices:monitor/stats"];
const READ = ["indices:data/read/search", "indices:admin/mappings/get"];
/** Elasticsearch has no words for single actions of its cluster that are not of its own. */
const ELASTIC_LOOK = ["monitor"];
const ELASTIC_READ = ["monitor", "read", "view_index_metadata"];

function roleOf({ link }: LinkModule): object {
  const patterns = indicesOf(link).map(({ pattern }) => pattern);
  const isDrawn = patterns.length > 0;
  const names = isDrawn ? patterns : ["*"];
  if (link.component.type === "elasticsearch")
    return { cluster: ["monitor"], indices: [{ names, privileges: isDrawn ? ELASTIC_READ : ELASTIC_LOOK }] };
  return {
    cluster_permissions: CLUSTER,
    index_permissions: [{ index_patterns: names, allowed_actions: isDrawn ? [...LOOK, ...READ] : LOOK }],
  };
}

function readmeView(module: LinkModule): object {
  const { link, environment } = module;
  const { name, type } = link.component;
  const account = accountOf(link);
  const isElastic = type === "elasticsearch";
  const base = urlOf(link) + (isElastic ? "/_security" : "/_plugins/_security/api");
  const put = (path: string): string =>
    `curl -sSf --netrc-file "$ADMIN_NETRC" -H content-type:application/json -X PUT ${shellWord(`${base}/${path}`)}`;
  const user = isElastic
    ? `{password: env.${environment}_PASSWORD, roles: ["${account}"]}`
    : `{password: env.${environment}_PASSWORD, opendistro_security_roles: ["${account}"]}`;
  const role = `${put(`${isElastic ? "role" : "roles"}/${account}`)} -d @${shellWord(`principals/${name}/role.json`)}`;
  const login = `jq -n ${shellWord(user)} | ${put(`${isElastic ? "user" : "internalusers"}/${account}`)} -d @-`;
  return {
    component: name,
    account,
    isElastic,
    role,
    login,
    indices: indicesOf(link).map(({ pattern }) => pattern),
  };
}

/** The account of each link: a role as the cluster's own interface takes it, and the commands that make it. */
export default defineOutput({
  name: "opensearch",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "opensearch")
      .flatMap((module): FileSpec[] => {
        const folder = `principals/${module.link.component.name}`;
        return [
          {
            kind: "rendered",
            path: `${folder}/README.md`,
            from: `${HERE}/principal-readme.md.hbs`,
            view: readmeView(module),
          },
          {
            kind: "data",
            path: `${folder}/role.json`,
            from: `${HERE}/output.ts`,
            json: roleOf(module),
            layout: "pretty",
          },
        ];
      }),
});
