import { defineOutput } from "#hook";
import type { FileSpec, LinkModule, Topology } from "#hook";
import { applicationOf, homeOf, projectsOf } from "./component.ts";

const HERE = "templates/argo-cd";

type Application = ReturnType<typeof applicationOf>;

/** As Argo CD names an application in its rules: one of another namespace has that in front of its name. */
function objectOf(home: string, { name, namespace, project }: Application): string {
  return namespace === home ? `${project}/${name}` : `${project}/${namespace}/${name}`;
}

/** What the account may do, line by line. */
function rulesOf({ link, tools }: LinkModule, role: string): readonly string[] {
  const home = homeOf(link);
  const canSync = tools.some(({ effect }) => effect !== "read");
  const rule = (resource: string, action: string, object: string): string =>
    `p, ${role}, ${resource}, ${action}, ${object}, allow`;
  const rules = (action: string, targets: typeof link.targets): readonly string[] =>
    targets.map((target) => rule("applications", action, objectOf(home, applicationOf(link, target))));
  return [
    ...rules("get", link.targets),
    ...projectsOf(link).map((project) => rule("projects", "get", project)),
    ...(canSync
      ? rules(
          "sync",
          link.targets.filter(({ access }) => access !== "read"),
        )
      : []),
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
