import { defineHook } from "#hook";
import type { CommandFamily, Generation, LinkModule } from "#hook";

type Executable = CommandFamily["executables"][number];

/** A program with the component types on whose rows it may be used. */
export type ExecutableFacts = Executable & {
  readonly types: readonly string[];
  readonly ambient?: true;
};

export interface AccountFacts {
  readonly sub: string | null;
  readonly kind: string | null;
  readonly variables: Readonly<
    Record<string, { readonly name: string; readonly secret: boolean; readonly value?: string }>
  >;
}

export interface CommandLinkFacts {
  readonly component: string;
  readonly env: string;
  readonly access: string;
  /** Kept write tools that some command stands for, by their names without prefix. */
  readonly writes: Readonly<Record<string, string>>;
  readonly accounts: readonly AccountFacts[];
}

/** The content of `commands.json`: what `run_test` may run in this stack, and no value of a secret. */
export interface CommandFacts {
  readonly executables: readonly ExecutableFacts[];
  readonly programs: Readonly<Record<string, readonly string[]>>;
  readonly gateways: readonly string[];
  readonly checks: readonly { readonly types: readonly string[]; readonly command: string }[];
  readonly links: readonly CommandLinkFacts[];
}

/** Groups what is the same for several types, so that a reviewer reads it once. */
function byContent<T>(
  entries: readonly (readonly [type: string, item: T])[],
): readonly (readonly [readonly string[], T])[] {
  const groups = new Map<string, { types: string[]; item: T }>();
  for (const [type, item] of entries) {
    const key = JSON.stringify(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { types: [type], item });
    else group.types.push(type);
  }
  return [...groups.values()].map(({ types, item }) => [types, item]);
}

function programsOf({ types }: Generation): CommandFacts["programs"] {
  const programs = new Map<string, string[]>();
  for (const [type, { commands }] of types) {
    for (const { name } of commands?.executables ?? [])
      programs.set(name, [...(programs.get(name) ?? []), type]);
  }
  return Object.fromEntries([...programs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function accountsOf({ link }: LinkModule, family: CommandFamily): readonly AccountFacts[] {
  return (family.accounts?.(link) ?? []).map(({ target, variables }) => ({
    sub: target?.sub.name ?? null,
    kind: target?.sub.kind ?? null,
    variables: Object.fromEntries(
      Object.entries(variables).map(([variable, { name, secret, value }]) => [
        variable,
        { name, secret: secret === true, ...(value === undefined ? {} : { value }) },
      ]),
    ),
  }));
}

/** All tools of a link share a prefix: that of the component, of the type's own choice, or of the module. */
function writesOf({ link, family, tools }: LinkModule, commands: CommandFamily): CommandLinkFacts["writes"] {
  const prefixes = [link.component.name.replaceAll("-", "_"), family.ownPrefix ?? family.prefix];
  const wanted = commands.executables.flatMap(({ forms }) => forms.flatMap(({ tool }) => tool ?? []));
  const kept = [...new Set(wanted)].sort().flatMap((tool) => {
    const name = prefixes
      .map((prefix) => `${prefix}_${tool}`)
      .find((each) => tools.some((kept) => kept.name === each));
    return name === undefined ? [] : [[tool, name] as const];
  });
  return Object.fromEntries(kept);
}

/** What `run_test` may run: the lists of the types that a link leads to, with the accounts of those links. */
export default defineHook({
  name: "commands",
  derive: (_topology, _facts, generation): CommandFacts => {
    const families = generation.links.flatMap((module) => {
      const family = generation.types.get(module.link.component.type)?.commands;
      return family === undefined ? [] : [{ module, family, type: module.link.component.type }];
    });
    const byType = new Map(families.map(({ type, family }) => [type, family]));
    const types = [...byType].sort(([a], [b]) => (a < b ? -1 : 1));
    const executables = types.flatMap(([type, { executables, ambient }]) =>
      executables.map((each) => [type, { ...each, ...(ambient === undefined ? {} : { ambient }) }] as const),
    );
    const checks = types.flatMap(([type, family]) =>
      family.checks.map((command) => [type, command] as const),
    );
    return {
      executables: byContent(executables).map(([types, executable]) => ({ types, ...executable })),
      programs: programsOf(generation),
      gateways: [...generation.types.values()]
        .filter(({ gateway }) => gateway === true)
        .map(({ type }) => type),
      checks: byContent(checks).map(([types, command]) => ({ types, command })),
      links: families.map(({ module, family }) => ({
        component: module.link.component.name,
        env: module.environment,
        access: module.link.access,
        writes: writesOf(module, family),
        accounts: accountsOf(module, family),
      })),
    };
  },
});
