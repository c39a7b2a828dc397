/** What an account may do, by the API server's own answer to every question that there is. */
import type { NamespaceRights } from "../../generator/catalog/contract.ts";
import { askCluster, clientOf } from "./live.ts";
import type { Cluster } from "./live.ts";

interface Resource {
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly name: string;
  readonly namespaced: boolean;
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean }[];
}

interface GroupList {
  readonly groups: readonly {
    readonly name: string;
    readonly versions: readonly { readonly groupVersion: string }[];
  }[];
}

/** Whom one may act as; no list of resources names them. */
const IMPERSONATED: readonly Resource[] = ["users", "groups"].map((name) => ({
  group: "",
  name,
  namespaced: false,
}));

/** Everything that the server can be asked for, as `kubectl api-resources` finds it. */
async function everyResource({ ask }: Cluster): Promise<readonly Resource[]> {
  const { groups } = (await ask("GET", "/apis")) as unknown as GroupList;
  const roots = groups.flatMap(({ name, versions }) =>
    versions.map(({ groupVersion }) => [name, `/apis/${groupVersion}`] as const),
  );
  const found = new Map<string, Resource>();
  for (const [group, root] of [["", "/api/v1"] as const, ...roots]) {
    const { resources } = (await ask("GET", root)) as unknown as ResourceList;
    for (const { name, namespaced } of resources) found.set(`${group}/${name}`, { group, name, namespaced });
  }
  return [...found.values(), ...IMPERSONATED];
}

const VERBS =
  "get list watch create update patch delete deletecollection impersonate escalate bind approve sign use".split(
    " ",
  );

/** Where is asked, and for which names of objects. */
export interface Places {
  readonly namespaces: readonly string[];
  /** Of workloads, since only rights on those are bound to names. */
  readonly names: readonly string[];
}

function namesIn(group: string, { names }: Places): readonly string[] {
  return group === "apps" ? ["", ...names] : [""];
}

/** `app patch apps/deployments web`: the namespace, the verb, the resource and the name, which may be empty. */
function line(namespace: string, verb: string, resource: string, name: string): string {
  return [namespace, verb, resource, name].join(" ");
}

async function permissionsOf(
  cluster: Cluster,
  tokenFile: string,
  places: Places,
): Promise<ReadonlySet<string>> {
  const http = clientOf(cluster.server, tokenFile);
  const questions = (await everyResource(cluster)).flatMap(({ group, name: whole, namespaced }) => {
    const [resource = "", subresource] = whole.split("/");
    return (namespaced ? [...places.namespaces, ""] : [""]).flatMap((namespace) =>
      VERBS.flatMap((verb) =>
        namesIn(group, places).map((name) => ({
          whole,
          group,
          resource,
          subresource,
          namespace,
          verb,
          name,
        })),
      ),
    );
  });
  const allowed = new Set<string>();
  const ask = async ({ whole, ...attributes }: (typeof questions)[number]): Promise<void> => {
    const review = { spec: { resourceAttributes: attributes } };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const { status } = (await askCluster(http, "POST", path, review)) as { status: { allowed: boolean } };
    const { namespace, verb, group, name } = attributes;
    if (status.allowed) allowed.add(line(namespace, verb, `${group}/${whole}`, name));
  };
  for (let start = 0; start < questions.length; start += 32)
    await Promise.all(questions.slice(start, start + 32).map(ask));
  return allowed;
}

/** What an account may do that not everybody with a token may do, sorted. */
export async function ownPermissions(
  cluster: Cluster,
  tokenFile: string,
  places: Places,
): Promise<readonly string[]> {
  const stranger = await cluster.tokenOf("default", "stranger");
  const everybody = await permissionsOf(cluster, stranger, places);
  const own = await permissionsOf(cluster, tokenFile, places);
  return [...own].filter((each) => !everybody.has(each)).sort();
}

/** Every rule that holds for an account in a namespace, as the server lists them: quick, and without exact names. */
export async function rulesFor(cluster: Cluster, tokenFile: string, namespace: string): Promise<unknown> {
  const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
  const review = await askCluster(clientOf(cluster.server, tokenFile), "POST", path, { spec: { namespace } });
  const { incomplete, resourceRules, nonResourceRules } = review["status"] as Readonly<
    Record<string, unknown>
  >;
  if (incomplete === true) throw new Error("the server did not list every rule");
  return [resourceRules, nonResourceRules].map((rules) =>
    (rules as readonly unknown[]).map((rule) => JSON.stringify(rule)).sort(),
  );
}

/**
 * The same lines for rights as they were declared. Kinds of operators that are not installed here cannot be asked
 * for; a Role may hold them all the same.
 */
export async function declaredPermissions(
  cluster: Cluster,
  rights: readonly NamespaceRights[],
  places: Places,
): Promise<readonly string[]> {
  const known = new Set((await everyResource(cluster)).map(({ group, name }) => `${group}/${name}`));
  const lines = rights.flatMap(({ namespace, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources
          .map((resource) => `${group}/${resource}`)
          .filter((resource) => known.has(resource))
          .flatMap((resource) =>
            verbs.flatMap((verb) =>
              (resourceNames ?? namesIn(group, places)).map((name) => line(namespace, verb, resource, name)),
            ),
          ),
      ),
    ),
  );
  return [...new Set(lines)].sort();
}
