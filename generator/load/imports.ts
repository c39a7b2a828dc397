/** A stack is reached from another one only through what that one exports. */
import { buildExports } from "../model/access-rules.ts";
import type { Built } from "../model/build.ts";
import { width } from "../model/build-ai-link.ts";
import type { Access, Component, Export, Link } from "../model/topology.ts";
import { isBlock } from "../model/block.ts";
import type { Report } from "../diagnostics/report.ts";
import { NAME } from "./schema-blocks.ts";
import { readSource } from "./source.ts";

/** What a stack exports; `null` when its file cannot be read, `undefined` when there is no such file here. */
type Exports = ReadonlyMap<string, Export> | null | undefined;

const IS_NAME = new RegExp(NAME);

async function exportsOf(stack: string, bytes: Uint8Array | undefined): Promise<Exports> {
  if (bytes === undefined) return undefined;
  const result = await readSource(`${stack}.yaml`, bytes);
  if (!result.ok || !isBlock(result.source.value)) return null;
  const { exports } = result.source.value;
  return new Map(buildExports(isBlock(exports) ? exports : {}).map((one) => [one.component, one]));
}

/** True when a link with `wanted` stays within an export with `granted`. */
function covers(granted: string, wanted: string, isForAi: boolean): boolean {
  if (granted === wanted) return true;
  if (isForAi) return width(granted as Access) >= width(wanted as Access);
  const wider: Readonly<Record<string, readonly string[]>> = {
    write: ["read", "readwrite", "produce", "consume", "publish", "both"],
    readwrite: ["read", "write"],
    owner: ["read", "write", "readwrite"],
    both: ["produce", "consume", "publish"],
  };
  return wider[granted]?.includes(wanted) ?? false;
}

function checkComponent(
  component: Component,
  stack: string,
  exports: Exports,
  report: Report,
): Export | null {
  const { external } = component;
  if (external === null || exports === undefined) return null;
  const path = [...component.path, "external"];
  if (exports === null) {
    report(
      "E-NOT-EXPORTED",
      `the exports of stack "${external.stack}" cannot be read: its file has errors`,
      path,
    );
    return null;
  }
  const found = exports.get(external.component);
  if (found !== undefined && found.to.includes(stack)) return found;
  const how = `exports: {${external.component}: {to: [${stack}], access: read}}`;
  report(
    "E-NOT-EXPORTED",
    `stack "${external.stack}" does not export "${external.component}" to "${stack}": its owner adds ${how}`,
    path,
  );
  return null;
}

function checkLink(
  link: Link,
  wanted: string | null,
  granted: Export,
  isForAi: boolean,
  report: Report,
): void {
  if (wanted === null || covers(granted.access, wanted, isForAi)) return;
  const { external } = link.to.component;
  report(
    "E-NOT-EXPORTED",
    `stack "${external?.stack}" exports "${granted.component}" for ${granted.access}, the link wants ${wanted}`,
    [...link.path, "access"],
  );
}

/** Checks every external component against the stack that owns it, when that stack's file is here. */
export async function checkImports(
  built: Built,
  neighbours: (stack: string) => Uint8Array | undefined,
  report: Report,
): Promise<void> {
  const { topology } = built;
  const granted = new Map<Component, Export>();
  const read = new Map<string, Exports>();
  for (const component of topology.components) {
    const stack = component.external?.stack;
    if (stack === undefined || !IS_NAME.test(stack)) continue;
    if (!read.has(stack)) read.set(stack, await exportsOf(stack, neighbours(stack)));
    const found = checkComponent(component, topology.stack, read.get(stack), report);
    if (found !== null) granted.set(component, found);
  }
  if (granted.size === 0) return;
  for (const link of topology.links) {
    const found = granted.get(link.to.component);
    if (found === undefined) continue;
    const ai = link.from.component.builtin ? built.aiLinks.get(link.to.component.name) : undefined;
    checkLink(link, ai?.access ?? link.access, found, ai !== undefined, report);
  }
}
