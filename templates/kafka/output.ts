import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import type { McpLink } from "#contract";
import { accountOf, clusterOf, topicsOf, writableOf } from "./component.ts";

const HERE = "templates/kafka";
const BYTES_PER_SECOND = 1_048_576;

interface Rule {
  readonly resource: Readonly<Record<string, string>>;
  readonly operations: readonly string[];
}

function topicRules(link: McpLink, canProduce: boolean): readonly Rule[] {
  const topics = topicsOf(link);
  const writable = new Set(writableOf(link));
  const operationsOf = (writes: boolean): readonly string[] => [
    "Describe",
    "DescribeConfigs",
    "Read",
    ...(writes ? ["Write"] : []),
  ];
  // Without a drawn topic there is none to look into: names, health and lag are all that is left.
  if (topics.length === 0)
    return [{ resource: { type: "topic", name: "*", patternType: "literal" }, operations: ["Describe"] }];
  return topics.map(({ name, topic }) => ({
    resource: { type: "topic", name: topic, patternType: "literal" },
    operations: operationsOf(canProduce && writable.has(name)),
  }));
}

/** Groups can be described and never joined: no tool needs a group of its own. */
export function accountView({ link, environment, tools }: LinkModule): object {
  const account = accountOf(link);
  const canProduce = tools.some(({ name }) => name.endsWith("_produce"));
  const { namespace, name } = link.component;
  const secret = `${account}-password`;
  const rules: readonly Rule[] = [
    ...topicRules(link, canProduce),
    { resource: { type: "group", name: "*", patternType: "literal" }, operations: ["Describe"] },
    { resource: { type: "cluster" }, operations: ["Describe"] },
  ];
  const make = `kubectl create secret generic ${shellWord(secret)} -n ${shellWord(namespace)} --from-file=password=/dev/stdin --dry-run=client -o yaml`;
  return {
    component: name,
    account,
    secret,
    namespace,
    labels: { "strimzi.io/cluster": clusterOf(link) },
    hasLogin: link.component.attributes["sasl"] !== "none",
    rules,
    rate: BYTES_PER_SECOND,
    password: `printf '%s' "$${environment}_PASSWORD" | ${make} | kubectl apply -f -`,
    apply: `kubectl apply -f ${shellWord(`principals/${name}/kafkauser.yaml`)}`,
    variable: `${environment}_PASSWORD`,
    produces: rules
      .filter(({ operations }) => operations.includes("Write"))
      .map(({ resource }) => resource["name"]),
  };
}

/** The account of each link, as the resource that Strimzi's user operator makes it from. */
export default defineOutput({
  name: "kafka",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "kafka")
      .flatMap((module) => {
        const folder = `principals/${module.link.component.name}`;
        const view = accountView(module);
        const file = (name: string, template: string): FileSpec => ({
          kind: "rendered",
          path: `${folder}/${name}`,
          from: `${HERE}/${template}`,
          view,
        });
        const hasLogin = module.link.component.attributes["sasl"] !== "none";
        return [
          file("README.md", "principal-readme.md.hbs"),
          ...(hasLogin ? [file("kafkauser.yaml", "principal.yaml.hbs")] : []),
        ];
      }),
});
