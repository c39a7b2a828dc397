/** Files that stand beside the stack file and belong to its drawing. */
import type { ComponentType } from "../catalog/contract.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import type { Component, Path, StackDocument, Topology } from "../model/topology.ts";
import { scanForSecrets } from "./secret-scan.ts";
import { readSource } from "./source.ts";

/** The bytes of a file, or why it is not read. */
export type ReadDocument = (file: string) => Uint8Array | { readonly problem: string };

/** Attributes that name files, by type; most types have none. */
function documentAttributes(
  types: ReadonlyMap<string, ComponentType>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const [type, { attributes }] of types) {
    const names = Object.keys(attributes).filter((name) => {
      const spec = attributes[name];
      return spec?.kind === "text" && spec.document === true;
    });
    if (names.length > 0) found.set(type, names.sort());
  }
  return found;
}

async function contentOf(file: string, read: ReadDocument, report: Report, path: Path): Promise<unknown> {
  const bytes = read(file);
  if ("problem" in bytes) {
    report("E-REF", `${quoted(file)} ${bytes.problem}`, path);
    return undefined;
  }
  const source = await readSource(file, bytes);
  if (!source.ok) {
    const [first] = source.diagnostics;
    const where = first === undefined ? "" : ` (line ${first.at.line}: ${first.message})`;
    report("E-SHAPE", `${quoted(file)} is neither JSON nor plain YAML${where}`, path);
    return undefined;
  }
  const { value } = source.source;
  if (scanForSecrets(value).some(({ by }) => by === "value")) {
    report(
      "E-SECRET-PLAINTEXT",
      `${quoted(file)} holds what looks like a credential, and AI may read the document: replace it by a made-up value, and rotate it`,
      path,
    );
    return undefined;
  }
  return value;
}

/** What is read of one file, once for all components and environments that name it. */
export interface DocumentReader {
  /** The documents of a drawing; a file that cannot be used is reported where it is named. */
  documentsOf(topology: Topology, report: Report): Promise<readonly StackDocument[]>;
}

export function createDocumentReader(
  types: ReadonlyMap<string, ComponentType>,
  read: ReadDocument,
): DocumentReader {
  const attributes = documentAttributes(types);
  const known = new Map<string, Promise<unknown>>();
  const ofComponent = async (component: Component, report: Report): Promise<readonly StackDocument[]> => {
    const documents: StackDocument[] = [];
    for (const attribute of attributes.get(component.type) ?? []) {
      const file = component.attributes[attribute];
      if (typeof file !== "string" || file === "") continue;
      if (!known.has(file)) known.set(file, contentOf(file, read, report, [...component.path, attribute]));
      const content = await known.get(file);
      if (content !== undefined) documents.push({ component: component.name, attribute, content });
    }
    return documents;
  };
  return {
    documentsOf: async ({ components }, report) => {
      const documents: StackDocument[] = [];
      for (const component of components)
        if (attributes.has(component.type)) documents.push(...(await ofComponent(component, report)));
      return documents;
    },
  };
}

/** The same topology with what its files say; what it works out late is left for later. */
export function withFiles(
  topology: Topology,
  files: Pick<Topology, "documents" | "issuerKeys" | "ruleSets">,
): Topology {
  const { documents, issuerKeys, ruleSets } = files;
  if (documents.length + issuerKeys.length + ruleSets.length === 0) return topology;
  const own = Object.getOwnPropertyDescriptors(topology);
  const read = {
    documents: { value: documents, enumerable: true },
    issuerKeys: { value: issuerKeys, enumerable: true },
    ruleSets: { value: ruleSets, enumerable: true },
  };
  return Object.defineProperties({}, { ...own, ...read }) as Topology;
}
