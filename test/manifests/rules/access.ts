/** What pods know, and what they may do to the cluster. */
import { at, blocks, entries, kindOf, nameOf, ofKind, podsIn, texts } from "../object.ts";
import type { Block, Manifest } from "../object.ts";
import { complaints } from "../rule.ts";
import type { Rule } from "../rule.ts";

const SECRET_NAME = /PASSWORD|TOKEN|SECRET|API_KEY|PRIVATE|CREDENTIAL/;
const PRIVATE_KEY = /-----BEGIN [A-Z ]+-----\s*[A-Za-z0-9+/=]{20}|AGE-SECRET-KEY-(PQ-)?1[A-Z0-9]{20}/;
const FORBIDDEN_RESOURCES = [
  "*",
  "secrets",
  "pods/exec",
  "pods/attach",
  "pods/portforward",
  "pods/ephemeralcontainers",
];
const CREATORS = ["*", "create", "escalate", "bind", "impersonate"];

function literals(manifests: readonly Manifest[]): readonly (readonly [string, unknown])[] {
  const configs = ofKind(manifests, "ConfigMap").flatMap(({ object }) => entries(object["data"]));
  const containers = podsIn(manifests).flatMap((pod) =>
    pod.containers.flatMap((each) => blocks(each["env"])),
  );
  const servers = ofKind(manifests, "MCPServer").flatMap(({ object }) =>
    blocks(at(object, "spec", "envVars")),
  );
  const values = [...containers, ...servers].filter((variable) => variable["value"] !== undefined);
  return [...configs, ...values.map((variable) => [String(variable["name"]), variable["value"]] as const)];
}

function rulesIn(manifests: readonly Manifest[]): readonly (readonly [Manifest, Block])[] {
  return ofKind(manifests, "Role").flatMap((role) =>
    blocks(role.object["rules"]).map((rule) => [role, rule] as const),
  );
}

function isHarmless(rule: Block): boolean {
  const [groups, resources, verbs] = ["apiGroups", "resources", "verbs"].map((key) => texts(rule[key]));
  const isPodMaker =
    (resources ?? []).includes("pods") && (verbs ?? []).some((verb) => CREATORS.includes(verb));
  return (
    !(groups ?? []).includes("*") &&
    !(verbs ?? []).includes("*") &&
    !(resources ?? []).some((resource) => FORBIDDEN_RESOURCES.includes(resource)) &&
    !isPodMaker
  );
}

export const accessRules: readonly Rule[] = [
  {
    id: "H8",
    title: "has an account of its own, whose token is there only when some right is",
    check: (manifests) => {
      const accounts = ofKind(manifests, "ServiceAccount");
      const bound = ofKind(manifests, "RoleBinding").flatMap(({ object }) =>
        blocks(object["subjects"]).map(({ name }) => name),
      );
      return [
        ...complaints(
          podsIn(manifests),
          ({ owner, spec }) => {
            const account = spec["serviceAccountName"];
            const isOwn = account !== "default" && accounts.some((each) => nameOf(each) === account);
            return isOwn && spec["automountServiceAccountToken"] === bound.includes(nameOf(owner));
          },
          ({ owner }) => `${owner.file}: ${nameOf(owner)}`,
        ),
        ...complaints(
          accounts,
          ({ object }) => object["automountServiceAccountToken"] === false,
          ({ file }) => `${file}: hands out its token`,
        ),
      ];
    },
    breaks: {
      "the default account": (manifests) =>
        podsIn(manifests).forEach(({ spec }) => (spec["serviceAccountName"] = "default")),
      "a token for nothing": (manifests) =>
        podsIn(manifests).forEach(({ spec }) => {
          spec["automountServiceAccountToken"] = spec["automountServiceAccountToken"] !== true;
        }),
      "a token for all": (manifests) =>
        ofKind(manifests, "ServiceAccount").forEach(
          ({ object }) => delete object["automountServiceAccountToken"],
        ),
    },
  },
  {
    id: "H16",
    title: "no secret stands in a manifest",
    check: (manifests) => [
      ...complaints(
        literals(manifests),
        ([name, value]) =>
          !SECRET_NAME.test(name) &&
          !PRIVATE_KEY.test(String(value)) &&
          // Code speaks of such addresses; a variable would be one.
          !(/^[A-Z_]+$/.test(name) && /:\/\/[^/@\s]+:[^/@\s]+@/.test(String(value))),
        ([name]) => `${name} is written out`,
      ),
      ...complaints(
        ofKind(manifests, "Secret"),
        ({ object }) => object["sops"] !== undefined,
        ({ file }) => `${file}: a Secret that is not sealed`,
      ),
    ],
    breaks: {
      "a password": (manifests) =>
        podsIn(manifests).forEach(({ containers }) =>
          containers.forEach((each) => (each["env"] = [{ name: "MCP_VALKEY_PASSWORD", value: "x" }])),
        ),
      "a URL with one": (manifests) =>
        ofKind(manifests, "ConfigMap").forEach(
          ({ object }) => (object["data"] = { MCP_URL: "http://a:b@c" }),
        ),
      "an open Secret": (manifests) =>
        manifests
          .slice(0, 1)
          .forEach(({ object }) => Object.assign(object, { kind: "Secret", stringData: { a: "b" } })),
    },
  },
  {
    id: "H17",
    title: "rights are few, named, and of one namespace",
    check: (manifests) => [
      ...complaints(
        manifests,
        (manifest) => !["ClusterRole", "ClusterRoleBinding"].includes(kindOf(manifest)),
        ({ file }) => `${file}: rights in the whole cluster`,
      ),
      ...complaints(
        ofKind(manifests, "RoleBinding"),
        ({ object }) => at(object, "roleRef", "kind") === "Role",
        ({ file }) => `${file}: binds a role of the cluster`,
      ),
      ...complaints(
        rulesIn(manifests),
        ([, rule]) => isHarmless(rule),
        ([{ file }, rule]) => `${file}: ${JSON.stringify(rule)}`,
      ),
    ],
    breaks: {
      "every verb": (manifests) => rulesIn(manifests).forEach(([, rule]) => (rule["verbs"] = ["*"])),
      secrets: (manifests) => rulesIn(manifests).forEach(([, rule]) => (rule["resources"] = ["secrets"])),
      "a shell": (manifests) => rulesIn(manifests).forEach(([, rule]) => (rule["resources"] = ["pods/exec"])),
      "new pods": (manifests) =>
        rulesIn(manifests).forEach(([, rule]) =>
          Object.assign(rule, { resources: ["pods"], verbs: ["create"] }),
        ),
      "the whole cluster": (manifests) =>
        ofKind(manifests, "Role").forEach(({ object }) => (object["kind"] = "ClusterRole")),
      "the administrator": (manifests) =>
        ofKind(manifests, "RoleBinding").forEach(({ object }) => {
          object["roleRef"] = { kind: "ClusterRole", name: "cluster-admin" };
        }),
    },
  },
  {
    id: "H22",
    title: "a variable is set once, under a name that is one",
    check: (manifests) =>
      podsIn(manifests).flatMap(({ owner, containers }) =>
        containers.flatMap((container) => {
          const direct = blocks(container["env"]).map(({ name }) => String(name));
          const maps = blocks(container["envFrom"]).map((each) => at(each, "configMapRef", "name"));
          const shared = ofKind(manifests, "ConfigMap")
            .filter((map) => maps.includes(nameOf(map)))
            .flatMap(({ object }) => entries(object["data"]).map(([name]) => name));
          const names = [...direct, ...shared];
          return complaints(
            names,
            (name) => /^[A-Z][A-Z0-9_]*$/.test(name) && names.filter((other) => other === name).length === 1,
            (name) => `${owner.file}: ${name}`,
          );
        }),
      ),
    breaks: {
      twice: (manifests) =>
        podsIn(manifests).forEach(({ containers }) =>
          containers.forEach((each) => (each["env"] = [...blocks(each["env"]), ...blocks(each["env"])])),
        ),
      "no name": (manifests) =>
        podsIn(manifests).forEach(({ containers }) =>
          containers.forEach((each) => (each["env"] = [{ name: "a-b", value: "c" }])),
        ),
    },
  },
];
