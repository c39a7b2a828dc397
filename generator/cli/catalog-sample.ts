import type { CompiledCatalog } from "../catalog/compiled.ts";
import type { ComponentType } from "../catalog/contract.ts";
import { derive, emit } from "../emit/emit.ts";
import type { LinkModule } from "../hook/contract.ts";
import { loadStack } from "../load/load.ts";

/** What stands in the place of everything that a drawing names. */
export const SAMPLE = "drawn";

/** One component with one thing in its scope, and everything that its link may do. */
function drawingOf(type: ComponentType, catalog: CompiledCatalog): string {
  const scope = type.tools?.scope;
  const isPod = Object.keys(type.podLabels ?? { any: "pod" }).length > 0;
  const attributes = [
    "namespace: drawn-namespace",
    ...(isPod ? [] : ["cidr: 192.0.2.1/32"]),
    ...(scope === undefined ? [] : [`${scope}: [${SAMPLE}]`]),
  ];
  const canWrite = catalog.modules.get(type.type)?.tools.some(({ effect }) => effect !== "read") === true;
  return [
    "apiVersion: topology/v1",
    "stack: stack",
    `components: {${type.builtin === undefined ? `${type.type}: {${attributes.join(", ")}}` : ""}}`,
    `links: {mcp: {${type.type}: ${canWrite ? "write" : "read"}}}`,
  ].join("\n");
}

interface Sample {
  readonly link: LinkModule;
  readonly rights: ReturnType<NonNullable<LinkModule["family"]["rbac"]>>;
  /** What the link's account is, as its README says it. */
  readonly account: string;
  /** Of `principals/<link>/`. */
  readonly accountFiles: readonly string[];
}

/** The first paragraph under the title. */
function whatItIs(readme: string): string {
  const [, first = ""] = /^# [^\n]*\n\n(.+?)\n\n/ms.exec(readme) ?? [];
  return first.replace(/^\*\*.*?:\*\* /, "").replaceAll("\n", " ");
}

/** What a link to the type gives, drawn as widely as it can be. */
export async function sampleOf(type: ComponentType, catalog: CompiledCatalog): Promise<Sample> {
  const { stack, diagnostics } = await loadStack({
    file: "stacks/stack.yaml",
    bytes: Buffer.from(drawingOf(type, catalog)),
    catalog: catalog.types,
    validate: catalog.validators,
    modules: catalog.modules,
    neighbours: () => undefined,
  });
  const link =
    stack === null
      ? undefined
      : derive(stack.base, catalog).generation.links.find((each) => each.link.component.type === type.type);
  if (stack === null || link === undefined) {
    const why = diagnostics.map(({ code, message }) => `${code} ${message}`).join("; ");
    throw new Error(`the sample of the type ${type.type} cannot be drawn: ${why}`);
  }
  const { tree } = await emit(stack.base, catalog);
  const folder = `principals/${type.type}/`;
  const names = link.tools.map(({ name }) => name);
  return {
    link,
    rights: link.family.rbac?.(link.link, names, stack.base) ?? [],
    account: whatItIs(tree.get(`${folder}README.md`)?.text ?? ""),
    accountFiles: [...tree.keys()]
      .filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length))
      .sort(),
  };
}
