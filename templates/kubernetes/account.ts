import type { FileSpec, LinkModule, Topology } from "#hook";
import { rightsOf } from "./reach.ts";

const README = "templates/kubernetes/account.md.hbs";
const ROLES = "templates/kubernetes/account.yaml.hbs";

/** As kubectl writes it: `deployments.apps/scale`. */
function written(resource: string, groups: readonly string[]): string {
  const [plural = "", ...below] = resource.split("/");
  const name = [plural, ...groups.filter((group) => group !== "")].join(".");
  return [name, ...below].join("/");
}

function rowsOf(rights: ReturnType<typeof rightsOf>): readonly object[] {
  return rights.flatMap(({ namespace, rules }) =>
    rules.map(({ apiGroups, resources, resourceNames, verbs }) => ({
      namespace,
      resources: resources.map((resource) => written(resource, apiGroups)),
      names: resourceNames ?? [],
      verbs,
    })),
  );
}

function filesOf(topology: Topology, { link, tools, environment }: LinkModule): readonly FileSpec[] {
  const { name, external } = link.component;
  const rights = rightsOf(
    link,
    tools.map((tool) => tool.name),
    topology,
  );
  const account = `${topology.stack}-mcp`.replaceAll("_", "-");
  const view = {
    component: name,
    stack: topology.stack,
    account,
    home: rights[0]?.namespace ?? "default",
    token: `${environment}_TOKEN`,
    isExternal: external !== null,
    rows: rowsOf(rights),
    rights,
  };
  const folder = `principals/${name}`;
  const readme: FileSpec = { kind: "rendered", path: `${folder}/README.md`, from: README, view };
  if (external === null) return [readme];
  return [readme, { kind: "rendered", path: `${folder}/rbac.yaml`, from: ROLES, view }];
}

/** The link's account on the cluster: what it may do, and for another cluster the objects that make it. */
export function accountFiles(topology: Topology, links: readonly LinkModule[]): readonly FileSpec[] {
  return links
    .filter(({ module }) => module.folder === "kubernetes")
    .flatMap((module) => filesOf(topology, module));
}
