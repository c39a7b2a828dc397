import { defineOutput } from "#hook";
import type { FileSpec, LinkModule, Topology } from "#hook";
import { applicationOf, homeOf } from "./component.ts";

const HERE = "templates/argo-cd";

type Application = ReturnType<typeof applicationOf>;

/** As Argo CD names an application in its rules: one of another namespace has that in front of its name. */
function objectOf(home: string, { name, namespace, project }: Application): string {
  return namespace === home ? `${project}/${name}` : `${project}/${namespace}/${name}`;
}

/** What the account may do, line by line; nothing was drawn by name, so everything is within reach. */
function rulesOf({ link, tools }: LinkModule, role: string): readonly string[] {
  const home = homeOf(link);
  const drawn = link.targets.map((target) => ({ ...target, application: applicationOf(link, target) }));
  const canSync = tools.some(({ effect }) => effect !== "read");
  const all = drawn.length === 0;
  const visible = all ? ["*/*"] : drawn.map(({ application }) => objectOf(home, application));
  const synced = drawn
    .filter(({ access }) => access !== "read")
    .map(({ application }) => objectOf(home, application));
  const projects = all ? ["*"] : [...new Set(drawn.map(({ application }) => application.project))].sort();
  const rule = (resource: string, action: string, object: string): string =>
    `p, ${role}, ${resource}, ${action}, ${object}, allow`;
  return [
    ...visible.map((object) => rule("applications", "get", object)),
    ...projects.map((project) => rule("projects", "get", project)),
    ...(canSync ? (all ? visible : synced).map((object) => rule("applications", "sync", object)) : []),
  ];
}

function accountView({ stack }: Topology, linked: LinkModule): object {
  const { name } = linked.link.component;
  const namespace = homeOf(linked.link);
  const account = `${stack}-mcp`.replaceAll("_", "-");
  const role = `role:${account}`;
  const rules = rulesOf(linked, role);
  const patch = (map: string): string =>
    `kubectl -n ${namespace} patch configmap ${map} --type merge --patch-file principals/${name}/${map}.yaml`;
  return {
    component: name,
    account,
    enables: `accounts.${account}`,
    policy: `policy.${account}.csv`,
    lines: [...rules, `g, ${account}, ${role}`],
    token: `${linked.environment}_TOKEN`,
    generate: `argocd account generate-token --account ${account}`,
    commands: [patch("argocd-cm"), patch("argocd-rbac-cm")],
    never: rules.some((rule) => rule.includes(", sync, ")) ? "" : "syncing, ",
    seesAll: linked.link.targets.length === 0,
  };
}

/** An account without a password, and its rules in a key of their own beside those of everybody else. */
export default defineOutput({
  name: "argo-cd",
  files: (topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "argo-cd")
      .flatMap((linked) =>
        [
          ["README.md", "principal-readme.md.hbs"],
          ["argocd-cm.yaml", "principal-account.yaml.hbs"],
          ["argocd-rbac-cm.yaml", "principal-rules.yaml.hbs"],
        ].map(([file = "", template = ""]): FileSpec => ({
          kind: "rendered",
          path: `principals/${linked.link.component.name}/${file}`,
          from: `${HERE}/${template}`,
          view: accountView(topology, linked),
        })),
      ),
});
