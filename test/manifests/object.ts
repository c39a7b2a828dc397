import { parseAllDocuments } from "yaml";

export type Block = Record<string, unknown>;

/** One Kubernetes object, and the file that it stands in. */
export interface Manifest {
  readonly file: string;
  readonly object: Block;
}

export function isBlock(value: unknown): value is Block {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path, or `undefined`: linted objects may be broken anywhere. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((node, key) => (isBlock(node) ? node[key] : undefined), value);
}

/** The maps in a list; nothing for what is no list. */
export function blocks(value: unknown): readonly Block[] {
  return Array.isArray(value) ? value.filter(isBlock) : [];
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

export function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return isBlock(value) ? Object.entries(value) : [];
}

export function kindOf({ object }: Manifest): string {
  return String(object["kind"]);
}

export function nameOf({ object }: Manifest): string {
  return String(at(object, "metadata", "name"));
}

export function namespaceOf({ object }: Manifest): string {
  return String(at(object, "metadata", "namespace") ?? "");
}

export function ofKind(manifests: readonly Manifest[], ...kinds: readonly string[]): readonly Manifest[] {
  return manifests.filter((manifest) => kinds.includes(kindOf(manifest)));
}

/** The objects of one file; a document without a kind is none. */
export function manifestsIn(file: string, text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter(isBlock)
    .filter((object) => object["kind"] !== undefined)
    .map((object) => ({ file, object }));
}

/** A pod as some controller makes it, with the labels that others find it by. */
export interface Pod {
  readonly owner: Manifest;
  readonly labels: Block;
  readonly spec: Block;
  readonly containers: readonly Block[];
}

export function podsIn(manifests: readonly Manifest[]): readonly Pod[] {
  return ofKind(manifests, "Deployment").map((owner) => {
    const spec = at(owner.object, "spec", "template", "spec");
    const labels = at(owner.object, "spec", "template", "metadata", "labels");
    return {
      owner,
      labels: isBlock(labels) ? labels : {},
      spec: isBlock(spec) ? spec : {},
      containers: blocks(at(spec, "containers")),
    };
  });
}

/** Whether every label that is asked for is there. */
export function selects(selector: unknown, labels: Block): boolean {
  return entries(selector).every(([name, value]) => labels[name] === value);
}
