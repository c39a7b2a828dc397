/** `docs/catalog.md`: what a link to each type gives, for people. */
import type { CompiledCatalog, CompiledTool } from "../catalog/compiled.ts";
import type { ComponentType, CredentialSpec } from "../catalog/contract.ts";
import { code, md, parameterRows } from "../emit/escape.ts";
import { parameterTable } from "../emit/parameter-table.ts";
import { toolPrefix } from "../model/naming.ts";
import { SAMPLE, sampleOf } from "./catalog-sample.ts";

const EFFECTS = { read: "read", additive: "write, adds", destructive: "write, changes or removes" } as const;

function toolText({ name, title, description, effect, inputSchema }: CompiledTool): string {
  const rows = parameterTable(inputSchema);
  const table =
    rows.length === 0 ? "" : `\n| parameter | shape | | |\n|---|---|---|---|\n${parameterRows(rows)}\n`;
  return `### ${code(name)} (${EFFECTS[effect]})\n\n${md(title)}. ${md(description)}\n${table}`;
}

function credentialText(
  prefix: string,
  { name, doc, optional, issued, conditional }: CredentialSpec,
): string {
  const source = issued === true ? "the service issues it" : "made once, unless a source is given";
  const when = conditional === true ? ", needed with some settings only" : "";
  return `${code(`${prefix}_${name}`)} (${optional === true ? "optional, never made" : source}${when}): ${md(doc)}`;
}

/** A line of facts, one below it for each when there are several; none for nothing. */
function fact(label: string, values: readonly string[]): readonly string[] {
  if (values.length < 2) return values.map((value) => `- ${label}: ${value}`);
  return [`- ${label}:`, ...values.map((value) => `  - ${value}`)];
}

const joined = (values: readonly string[]): readonly string[] =>
  values.length === 0 ? [] : [values.join(", ")];

function scopeText({ tools, subComponents }: ComponentType): readonly string[] {
  const section = tools?.scope === undefined ? undefined : subComponents?.[tools.scope];
  if (tools?.scope === undefined || section === undefined) return [];
  return [`the drawn ${code(tools.scope)}, here one ${md(section.kind)} with the name ${code(SAMPLE)}`];
}

/** The types of one module whose tools have the same names, such as a product and its sibling. */
async function section(
  types: readonly [ComponentType, ...ComponentType[]],
  catalog: CompiledCatalog,
): Promise<string> {
  const [type] = types;
  const { link: sample, rights, account, accountFiles } = await sampleOf(type, catalog);
  const { family, environment, tools, link } = sample;
  const variable = (name: string): string => code(`${environment}_${name}`);
  const ports = family.ports?.(link) ?? (link.component.port === null ? [] : [link.component.port]);
  const canWrite = tools.some(({ effect }) => effect !== "read");
  const programs = [...new Set(type.commands?.executables.map(({ name }) => code(name)))];
  const facts = [
    fact(
      "tested on",
      types.map((each) => `${code(each.type)}: ${md(each.testedOn?.join("; ") ?? "nothing of its own")}`),
    ),
    fact("closed list of its parameters", scopeText(type)),
    ...(family.derived === undefined
      ? []
      : ["- more tools: one for each operation of a document that the drawing names"]),
    fact("write flag", [canWrite ? variable("WRITE_ACCESS") : "none, it only reads"]),
    fact("account", [account === "" ? "none" : account]),
    fact("files of the account", joined(accountFiles.map((file) => code(`principals/${type.type}/${file}`)))),
    fact(
      "credentials",
      family.credentials(link).map((spec) => credentialText(environment, spec)),
    ),
    fact("settings", joined(family.settings(link).map(({ name }) => variable(name)))),
    fact("ports of the pods", joined(ports.map(String))),
    fact(
      "rights in the cluster",
      rights.flatMap(({ namespace, rules }) =>
        rules.map(
          ({ verbs, resources }) =>
            `${verbs.join(", ")} ${resources.map(code).join(", ")} in ${code(namespace)}`,
        ),
      ),
    ),
    fact(`programs of ${code("run_test")}`, joined(programs)),
    fact("complete commands", type.commands?.checks.map(code) ?? []),
  ];
  const summaries = types.map(({ summary }) => md(summary)).join(" ");
  return `## ${types.map((each) => each.type).join(", ")}\n\n${summaries}\n\n${facts.flat().join("\n")}\n\n${tools.map(toolText).join("\n")}`;
}

/** Types that differ in nothing but their names and words, by the first of them. */
function families(catalog: CompiledCatalog): readonly (readonly [ComponentType, ...ComponentType[]])[] {
  const found = new Map<string, [ComponentType, ...ComponentType[]]>();
  for (const type of catalog.types.values()) {
    if (type.mcp !== "tools") continue;
    const key = `${catalog.modules.get(type.type)?.from} ${toolPrefix({ name: type.type }, type)}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, [type]);
    else known.push(type);
  }
  return [...found.values()];
}

function drawnOnly({ types }: CompiledCatalog): string {
  const rows = [...types.values()]
    .filter(({ mcp }) => mcp !== "tools")
    .map(({ type, group, summary, subComponents }) => {
      const parts = Object.keys(subComponents ?? {})
        .map(code)
        .join(", ");
      return `| ${code(type)} | ${md(group)} | ${parts} | ${md(summary)} |`;
    });
  return `## Types that are only drawn\n\nNo tools: they stand in the topology, with attributes, links and hosts.\n\n| type | group | parts | |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

export async function catalogPage(catalog: CompiledCatalog): Promise<string> {
  const sections: string[] = [];
  for (const types of families(catalog)) sections.push(await section(types, catalog));
  return `<!-- Code generated by topogate catalog --markdown. DO NOT EDIT. -->
# The catalog

What a link from ${code("mcp")} to each component type gives. Each is shown as a component with the name of its type, with everything
that a link can do; a component with a name of its own has its tools and variables named after that. Write tools are there only when
the link says so and their flag is ${code("true")}. Bounds of a parameter stand beside it, those of an answer in the tool's description.

${sections.join("\n")}
${drawnOnly(catalog)}`;
}
