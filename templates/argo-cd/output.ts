import { defineOutput } from "#hook";
import type { FileSpec, LinkModule, Topology } from "#hook";
import { applicationOf, homeOf, projectsOf } from "./component.ts";

const HERE = "templates/argo-cd";

/** Of one project. */
const MANY = 40;

type Application = ReturnType<typeof applicationOf>;

/** As Argo CD names an application in its rules: one of another namespace has that in front of its name. */
function objectOf(home: string, { name, namespace, project }: Application): string {
  return namespace === home ? `${project}/${name}` : `${project}/${namespace}/${name}`;
}

/**
 * The rules that give one right to some applications. Argo CD goes through all of them for each application that it
 * has, so many of one project get one rule for what that project has in their namespace.
 */
function rulesFor(link: LinkModule["link"], targets: LinkModule["link"]["targets"]): readonly string[] {
  const drawn = targets.map((target) => applicationOf(link, target));
  const objects = drawn.map((application) => {
    const many = drawn.filter(({ project }) => project === application.project).length > MANY;
    return objectOf(homeOf(link), many ? { ...application, name: "*" } : application);
  });
  return [...new Set(objects)];
}

/** What the account may do, line by line. */
function rulesOf({ link, tools }: LinkModule, role: string): readonly string[] {
  const canSync = tools.some(({ effect }) => effect !== "read");
  const writable = canSync ? link.targets.filter(({ access }) => access !== "read") : [];
  const rule = (resource: string, action: string, object: string): string =>
    `p, ${role}, ${resource}, ${action}, ${object}, allow`;
  return [
    ...rulesFor(link, link.targets).map((object) => rule("applications", "get", object)),
    ...projectsOf(link).map((project) => rule("projects", "get", project)),
    ...writable.map((target) =>
      rule("applications", "sync", objectOf(homeOf(link), applicationOf(link, target))),
    ),
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
