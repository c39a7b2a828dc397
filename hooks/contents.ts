import { defineHook, factsOf } from "#hook";
import type commandsHook from "./commands.ts";
import type { Generation, LinkModule, PlaybookQuestion, Topology } from "#hook";

/** One generated text that AI reads as it stands, and where it goes. */
export interface GeneratedText {
  readonly path: string;
  /** Its template, for the manifest. */
  readonly from: string;
  readonly text: string;
}

export interface ContentFacts {
  readonly files: readonly GeneratedText[];
  /** By the name of the prompt. */
  readonly prompts: Readonly<Record<string, string>>;
  /** By uri; resources whose text is generated. */
  readonly resources: Readonly<Record<string, string>>;
}

/** A tool of this stack that answers a question of a playbook. */
interface Helper {
  readonly component: string;
  readonly tool: string;
  readonly how: string;
}

const QUESTIONS: readonly PlaybookQuestion[] = [
  "alerts",
  "cluster",
  "deployments",
  "health",
  "logs",
  "metrics",
];
/** Longer lists stand in an answer of a tool, not in a text that is read whole. */
const MOST_LISTED = 60;

function helpersFor(question: PlaybookQuestion, { links }: Generation): readonly Helper[] {
  return links.flatMap((module) => {
    const step = module.family.playbooks?.[question];
    if (step === undefined) return [];
    return [{ component: module.link.component.name, tool: module.nameOf(step.tool), how: step.how }];
  });
}

function countsOf(names: readonly string[]): readonly { readonly name: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const name of names) if (name !== "") counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.slice(0, MOST_LISTED).map(([name, count]) => ({ name, count }));
}

function linkView({ link, tools }: LinkModule): object {
  return {
    component: link.component.name,
    access: link.access,
    tools: tools.map(({ name }) => name),
    targets: link.narrowed ? link.targets.map(({ sub }) => sub.name).join(", ") : "all of it",
  };
}

/** The types that are drawn, with how `{host}` and `{port}` follow from a component of each. */
function typeViews(topology: Topology, { types }: Generation): readonly object[] {
  return countsOf(topology.components.map(({ type }) => type)).map(({ name, count }) => {
    const type = types.get(name);
    const subs = Object.entries(type?.subComponents ?? {});
    return {
      name,
      count,
      host: type?.host ?? "none",
      port: type?.port ?? "none",
      kinds: subs.map(([, { kind }]) => kind).join(", ") || "none",
    };
  });
}

/** Components that the examples of the guide are about: the first that has what an example needs. */
function exampleView({ components, links }: Topology): object {
  const holder = components.find(({ subs, builtin }) => subs.length > 0 && !builtin);
  const route = links.find(({ attributes }) => typeof attributes["subdomain"] === "string");
  const any = holder ?? components.find(({ builtin }) => !builtin) ?? components[0];
  return {
    component: any?.name ?? "mcp",
    typeSource: `type:${any?.type ?? "fastmcp"}`,
    hasHolder: holder !== undefined,
    holder: holder?.name ?? "",
    hasRoute: route !== undefined,
    gateway: route?.from.component.name ?? "",
  };
}

type Commands = ReturnType<(typeof commandsHook)["derive"]>;

/** What `run_test` may run here: each program with the types that it is for, and commands that are known to fit. */
function commandViews({ executables, checks }: Commands): object {
  const programs = new Map<string, Set<string>>();
  for (const { name, types, ambient } of executables) {
    const known = programs.get(name) ?? new Set<string>();
    programs.set(name, known);
    for (const type of ambient === true ? ["every type"] : types) known.add(type);
  }
  return {
    hasPrograms: programs.size > 0,
    programs: [...programs]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, types]) => ({ name, types: [...types].sort().join(", ") })),
    hasChecks: checks.length > 0,
    checks: checks.map(({ types, command }) => ({ types: types.join(", "), command })),
  };
}

function viewOf(topology: Topology, generation: Generation, commands: Commands): object {
  const helpers = QUESTIONS.map((question) => [question, helpersFor(question, generation)] as const);
  const has = helpers.map(([question, found]) => [
    `has${question.slice(0, 1).toUpperCase()}${question.slice(1)}`,
    found.length > 0,
  ]);
  return {
    stack: topology.stack,
    title: topology.environment === null ? topology.stack : `${topology.stack} (${topology.environment})`,
    description: topology.description ?? "",
    hasDescription: topology.description !== null,
    domain: topology.domain ?? "",
    hasDomain: topology.domain !== null,
    components: topology.components.length,
    types: typeViews(topology, generation),
    namespaces: countsOf(topology.components.map(({ namespace }) => namespace)),
    groups: countsOf(topology.components.map(({ group }) => group)),
    links: generation.links.slice(0, MOST_LISTED).map(linkView),
    example: exampleView(topology),
    ...commandViews(commands),
    ...Object.fromEntries(helpers),
    ...Object.fromEntries(has),
  };
}

/** What is generated for one link: where it goes, and the template of its type's folder. */
interface Wanted {
  readonly kind: "prompts" | "resources";
  readonly key: string;
  readonly name: string;
  readonly folder: string;
}

function wantedBy({ module }: LinkModule): readonly Wanted[] {
  const { folder } = module;
  return [
    ...module.prompts.map(({ name }): Wanted => ({ kind: "prompts", key: name, name, folder })),
    ...module.resources
      .filter(({ generated }) => generated)
      .map(({ uri, name }): Wanted => ({ kind: "resources", key: uri, name, folder })),
  ];
}

function render({ kind, name, folder }: Wanted, view: object, { renderers }: Generation): GeneratedText {
  const from = `templates/${folder}/${kind}/${name}.md.hbs`;
  const renderer = renderers.get(from);
  if (renderer === undefined) throw new Error(`${from} does not exist, but the module of ${folder} names it`);
  return { path: `server/${kind}/${name}.md`, from, text: renderer(view) };
}

/**
 * The prompts and guides of the linked types, written for this stack: they name tools that it has, and say what
 * to do without those that it has not.
 */
export default defineHook({
  name: "contents",
  after: ["commands"],
  derive: (topology, facts, generation): ContentFacts => {
    const wanted = generation.links.flatMap(wantedBy);
    if (wanted.length === 0) return { files: [], prompts: {}, resources: {} };
    const view = viewOf(topology, generation, factsOf<typeof commandsHook>(facts, "commands"));
    const rendered = wanted.map((each) => ({ ...each, file: render(each, view, generation) }));
    const textsOf = (kind: Wanted["kind"]): Record<string, string> =>
      Object.fromEntries(
        rendered.filter((each) => each.kind === kind).map(({ key, file }) => [key, file.text]),
      );
    return {
      files: rendered.map(({ file }) => file),
      prompts: textsOf("prompts"),
      resources: textsOf("resources"),
    };
  },
});
