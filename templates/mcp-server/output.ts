import { defineOutput, factsOf, npmPackage, typescriptLiteral } from "#hook";
import type { CredentialFacts, FileSpec, Generation, LinkModule, Topology } from "#hook";
import type registryHook from "../../hooks/registry.ts";
import type oauthHook from "../../hooks/oauth.ts";
import type rulesHook from "../../hooks/rules.ts";
import type surfaceHook from "../../hooks/surface.ts";
import type contentsHook from "../../hooks/contents.ts";
import type credentialsHook from "../../hooks/credentials.ts";
import type egressHook from "../../hooks/egress.ts";
import { ISSUER_KEYS, tokenSource } from "./token-source.ts";
import type { OAuth } from "./token-source.ts";

const HERE = "templates/mcp-server";
const RUNTIME = `${HERE}/runtime/`;

/** What each framework brings: the files of one adapter, and the packages that only it imports. */
const FRAMEWORKS = {
  sdk: {
    adapter: "protocol/adapter-sdk",
    libraries: ["@modelcontextprotocol/server", "@modelcontextprotocol/node"],
  },
  fastmcp: { adapter: "protocol/adapter-fastmcp", libraries: ["fastmcp", "@modelcontextprotocol/sdk"] },
} as const;
const LIBRARIES = ["ajv"];
/** Only servers with rules that have a condition evaluate any. */
const CONDITIONS = "@marcbachmann/cel-js";
/** Only servers whose replicas share state speak to one. */
const STATE_LIBRARY = "ioredis";
/** Only servers that let callers in by tokens read any. */
const TOKEN_LIBRARY = "jose";
const DEV_LIBRARIES = ["tsx"];

type RuleFacts = ReturnType<(typeof rulesHook)["derive"]>;

/** Which files of `runtime/rules/` there are: none without rules, and the conditions only where one has any. */
function wantsRuleFile(name: string, rules: RuleFacts, { links }: Generation): boolean {
  const asks = links.some(({ family }) => family.libraries?.includes(CONDITIONS) === true);
  if (name === "rules/condition.ts") return asks || rules.hasConditions;
  return asks || rules.files.length > 0;
}

/** Reserved words cannot follow from this: every name ends in `Tools`. */
function variableOf({ link }: LinkModule): string {
  return `${link.component.name.replace(/[-_]+(\w?)/g, (_, next: string) => next.toUpperCase())}Tools`;
}

function modulePath({ link }: LinkModule): string {
  return `tools/${link.component.name}.ts`;
}

/** What the server refuses to start without; its own key is the front door's affair. */
function requiredCredentials({ links }: CredentialFacts): Readonly<Record<string, string>> {
  const required = links.flatMap(({ link, credentials }) =>
    credentials
      .filter(({ optional, conditional }) => !optional && conditional !== true)
      .map(({ name }) => [name, link] as const),
  );
  return Object.fromEntries(required.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function registrySource(
  topology: Topology,
  facts: ReturnType<(typeof registryHook)["derive"]>,
  credentials: CredentialFacts,
  links: readonly LinkModule[],
  rules: RuleFacts,
  oauth: OAuth,
): string {
  const imports = links.map(
    (module) => `import { tools as ${variableOf(module)} } from "./${modulePath(module)}";\n`,
  );
  const { stack, environment, server } = topology;
  const modules = links.map(variableOf);
  const names = rules.files.map(({ file }) => file);
  const compile = rules.hasConditions ? ", compile: compileCondition" : "";
  const ruleSource = `  rules: rulesIn({ folder: new URL("../governance/", import.meta.url), files: ${typescriptLiteral(names, "  ")}${compile} }),\n`;
  return `import type { Registry } from "#runtime/registry";
${rules.hasConditions ? 'import { compileCondition } from "#runtime/rules/condition";\n' : ""}${names.length > 0 ? 'import { rulesIn } from "#runtime/rules/open";\n' : ""}${server.state === null ? "" : 'import { openState } from "#runtime/state/valkey";\n'}${oauth === null ? "" : 'import { openTokens } from "#runtime/oauth/tokens";\n'}${imports.join("")}
/** What this server may do: the tool modules of the drawn links, and how far each tool may go. */
export const registry: Registry = {
  stack: ${typescriptLiteral(stack)},
  environment: ${typescriptLiteral(environment)},
  modules: [${modules.join(", ")}],
  allowList: ${typescriptLiteral(facts.allowList, "  ")},
  flags: ${typescriptLiteral(facts.flags, "  ")},
${names.length > 0 ? ruleSource : ""}${server.state === null ? "" : "  state: openState,\n"}${tokenSource(topology, oauth)}  credentials: ${typescriptLiteral(requiredCredentials(credentials), "  ")},
};
`;
}

function runtimeFiles(
  generation: Generation,
  framework: keyof typeof FRAMEWORKS,
  rules: RuleFacts,
  has: { readonly state: boolean; readonly tokens: boolean },
): FileSpec[] {
  const { copies, links } = generation;
  /** By what a name begins with; all other files are for every server. */
  const optional: Readonly<Record<string, (name: string) => boolean>> = {
    "protocol/adapter-": (name) => name.startsWith(FRAMEWORKS[framework].adapter),
    "oauth/": () => has.tokens,
    "rules/": (name) => wantsRuleFile(name, rules, generation),
    "state/": () => has.state,
  };
  const isWanted = (name: string): boolean =>
    Object.entries(optional).every(([start, wants]) => !name.startsWith(start) || wants(name));
  const shared = [...copies.keys()]
    .filter((from) => from.startsWith(RUNTIME) && isWanted(from.slice(RUNTIME.length)))
    .map((from): FileSpec => ({
      kind: "copied",
      path: `server/runtime/${from.slice(RUNTIME.length)}`,
      from,
    }));
  const own = new Map(
    links.flatMap(({ module, runtime }) => runtime.map((from) => [from, module.folder] as const)),
  );
  const families = [...own].map(([from, folder]): FileSpec => {
    const local = from.slice(`templates/${folder}/runtime/`.length);
    return { kind: "copied", path: `server/runtime/${folder}/${local}`, from };
  });
  return [...shared, ...families];
}

function packageFiles(topology: Topology, generation: Generation, rules: RuleFacts): FileSpec[] {
  const { adapter, libraries } = FRAMEWORKS[topology.server.framework];
  const { packageJson, packageLock } = npmPackage(generation.lock(), {
    name: `${topology.stack}-mcp`,
    description: `MCP server of the stack ${topology.stack}`,
    scripts: { start: "node start.mjs" },
    imports: { "#runtime/*": "./runtime/*.ts", "#adapter": `./runtime/${adapter}.ts` },
    dependencies: [
      ...LIBRARIES,
      ...libraries,
      ...(rules.hasConditions ? [CONDITIONS] : []),
      ...(topology.server.state === null ? [] : [STATE_LIBRARY]),
      ...(topology.access.oauth === null ? [] : [TOKEN_LIBRARY]),
      ...generation.links.flatMap(({ family }) => family.libraries ?? []),
    ],
    devDependencies: DEV_LIBRARIES,
  });
  return [
    {
      kind: "data",
      path: "server/package.json",
      from: `${HERE}/output.ts`,
      json: packageJson,
      layout: "pretty",
    },
    {
      kind: "data",
      path: "server/package-lock.json",
      from: "package-lock.json",
      json: packageLock,
      layout: "pretty",
    },
  ];
}

export default defineOutput({
  name: "mcp-server",
  libraries: [
    ...LIBRARIES,
    CONDITIONS,
    STATE_LIBRARY,
    TOKEN_LIBRARY,
    ...DEV_LIBRARIES,
    ...FRAMEWORKS.sdk.libraries,
    ...FRAMEWORKS.fastmcp.libraries,
  ],
  files: (topology, facts, generation) => {
    const registry = factsOf<typeof registryHook>(facts, "registry");
    const { tools, prompts, resources } = factsOf<typeof surfaceHook>(facts, "surface");
    const contents = factsOf<typeof contentsHook>(facts, "contents");
    const credentials = factsOf<typeof credentialsHook>(facts, "credentials");
    const egress = factsOf<typeof egressHook>(facts, "egress");
    const rules = factsOf<typeof rulesHook>(facts, "rules");
    const oauth = factsOf<typeof oauthHook>(facts, "oauth");
    const { stack, environment } = topology;
    const lock = {
      version: 1,
      stack,
      environment,
      tools,
      prompts,
      resources,
      credentials: credentials.names,
      egress: egress.targets,
      flags: registry.flags,
      ...(oauth === null ? {} : { oauth: { issuer: oauth.issuer, audience: oauth.audience } }),
      ...(rules.files.length === 0 ? {} : { rules: rules.files.map(({ file, hash }) => ({ file, hash })) }),
    };
    return [
      { kind: "copied", path: "server/main.ts", from: `${HERE}/copy/main.ts` },
      { kind: "copied", path: "server/start.mjs", from: `${HERE}/copy/start.mjs` },
      { kind: "copied", path: "server/tsconfig.json", from: `${HERE}/copy/tsconfig.json` },
      {
        kind: "data",
        path: "server/registry.ts",
        from: "hooks/registry.ts",
        text: registrySource(topology, registry, credentials, generation.links, rules, oauth),
      },
      {
        kind: "data",
        path: "server/surface.lock.json",
        from: "hooks/surface.ts",
        json: lock,
        layout: "pretty",
      },
      ...contents.files.map((file): FileSpec => ({ kind: "data", ...file })),
      ...packageFiles(topology, generation, rules),
      ...runtimeFiles(generation, topology.server.framework, rules, {
        state: topology.server.state !== null,
        tokens: oauth !== null,
      }),
      ...(oauth === null || oauth.keysUrl !== null
        ? []
        : [
            {
              kind: "data" as const,
              path: `server/${ISSUER_KEYS}`,
              from: "hooks/oauth.ts",
              json: { keys: topology.issuerKeys },
              layout: "pretty" as const,
            },
          ]),
      ...generation.links.map((link): FileSpec => ({
        kind: "specialized",
        path: `server/${modulePath(link)}`,
        link,
      })),
    ];
  },
});
