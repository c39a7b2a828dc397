import type { ComponentType } from "../catalog/contract.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import type { Path } from "../model/topology.ts";
import type { Block } from "../model/block.ts";
import { isBlock, kindOf } from "../model/block.ts";
import type { DrawnComponent } from "../model/drawing.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { NAME } from "./schema-blocks.ts";

const IS_NAME = new RegExp(NAME);

export interface NormaliseContext {
  readonly types: ReadonlyMap<string, ComponentType>;
  /** Types that exist under one name only: `mcp`, `stack_agent`. */
  readonly builtins: ReadonlyMap<string, ComponentType>;
  readonly report: Report;
  /** Where list items stand: the blocks made for them have no key of their own in the file. */
  readonly origins: Map<object, Path>;
}

/** `[orders]` and `{orders: }` both become `{orders: {}}`; in an environment `null` stays and removes. */
function normaliseSection(
  written: unknown,
  path: Path,
  context: NormaliseContext,
  keepNull: boolean,
): unknown {
  if (written === null) return keepNull ? null : {};
  if (Array.isArray(written)) return sectionFromList(written, path, context);
  if (!isBlock(written)) {
    context.report("E-SHAPE", `${kindOf(written)} stands here: write a list of names or a map`, path);
    return {};
  }
  if (keepNull || !Object.values(written).includes(null)) return written;
  return Object.fromEntries(Object.entries(written).map(([name, value]) => [name, value ?? {}]));
}

function sectionFromList(written: readonly unknown[], path: Path, context: NormaliseContext): Block {
  const section: Record<string, Block> = {};
  written.forEach((name, index) => {
    const at = [...path, index];
    if (typeof name !== "string") {
      context.report("E-SHAPE", `${kindOf(name)} stands in a list of names: write the section as a map`, at);
    } else if (Object.hasOwn(section, name)) {
      context.report("E-DUP", `${quoted(name)} is listed twice`, at);
    } else {
      const block = {};
      context.origins.set(block, at);
      section[name] = block;
    }
  });
  return section;
}

function normaliseValue(
  written: Block,
  type: ComponentType,
  path: Path,
  context: NormaliseContext,
  keepNull: boolean,
): Block {
  if (type.subComponents === undefined) return written;
  let value = written;
  for (const section in type.subComponents) {
    const before = written[section];
    if (before === undefined) continue;
    const after = normaliseSection(before, [...path, section], context, keepNull);
    if (after !== before) value = { ...value, [section]: after };
  }
  return value;
}

function misplacedBuiltin(name: string, type: ComponentType, path: Path, report: Report): boolean {
  if (type.builtin === undefined || type.builtin === name) return false;
  report("E-LINK-TYPE", `${type.type} exists once per stack, as the component "${type.builtin}"`, path);
  return true;
}

function typeOf(name: string, value: Block, path: Path, context: NormaliseContext): ComponentType | null {
  const { types, builtins, report } = context;
  const written = value["type"];
  const builtin = builtins.get(name);
  if (written === undefined || written === null) {
    const type = builtin ?? types.get(name);
    if (type !== undefined) return misplacedBuiltin(name, type, path, report) ? null : type;
    report(
      "E-TYPE-MISSING",
      `${quoted(name)} is not a type of the catalog, so it needs type: <type>.${suggestion(name, types.keys())}`,
      path,
    );
    return null;
  }
  const at = [...path, "type"];
  if (typeof written !== "string") {
    report(
      "E-SHAPE",
      `the type of ${quoted(name)} is ${kindOf(written)}, a word of the catalog is wanted`,
      at,
    );
    return null;
  }
  const type = types.get(written);
  if (type === undefined) {
    report(
      "E-TYPE-UNKNOWN",
      `no type ${quoted(written)} in the catalog.${suggestion(written, types.keys())}`,
      at,
    );
    return null;
  }
  if (builtin !== undefined && builtin !== type) {
    report(
      "E-LINK-TYPE",
      `"${name}" is built in and always of type ${builtin.type}: name this component otherwise`,
      at,
    );
    return null;
  }
  return misplacedBuiltin(name, type, at, report) ? null : type;
}

function typeInEnvironment(
  base: DrawnComponent,
  value: Block,
  path: Path,
  report: Report,
): ComponentType | null {
  const written = value["type"];
  if (base.type !== null && written !== undefined && written !== base.type.type) {
    report("E-ENV-WIDENS", `an environment cannot change the type of "${base.name}" from ${base.type.type}`, [
      ...path,
      "type",
    ]);
  }
  return base.type;
}

function normaliseComponent(
  name: string,
  written: unknown,
  path: Path,
  context: NormaliseContext,
  base: DrawnComponent | undefined,
  inEnvironment: boolean,
): DrawnComponent {
  if (!IS_NAME.test(name)) {
    context.report(
      "E-SHAPE",
      `${quoted(name)} is no name for a component: use small letters, digits, - and _, with a letter first, 63 characters at most`,
      path,
    );
    return { name, type: null, value: {}, path };
  }
  if (written !== null && !isBlock(written)) {
    context.report(
      "E-SHAPE",
      `component ${quoted(name)} is ${kindOf(written)}: write a map of its attributes, or nothing`,
      path,
    );
    return { name, type: base?.type ?? null, value: {}, path };
  }
  const value = written ?? {};
  const type =
    base === undefined
      ? typeOf(name, value, path, context)
      : typeInEnvironment(base, value, path, context.report);
  return {
    name,
    type,
    value:
      type === null ? value : normaliseValue(value, type, path, context, inEnvironment && base !== undefined),
    path,
  };
}

function components(written: unknown, path: Path, report: Report): Block {
  if (isBlock(written)) return written;
  if (written !== undefined && written !== null) {
    report("E-SHAPE", `components is ${kindOf(written)}: write a map from name to attributes`, path);
  }
  return {};
}

export function normaliseComponents(
  written: unknown,
  context: NormaliseContext,
): Map<string, DrawnComponent> {
  const drawn = new Map<string, DrawnComponent>();
  const block = components(written, ["components"], context.report);
  for (const name in block) {
    const path = ["components", name];
    drawn.set(name, normaliseComponent(name, block[name], path, context, undefined, false));
  }
  return drawn;
}

/** As `normaliseComponents`, where `null` takes a component or a sub-component of the base away. */
export function normaliseComponentOverlay(
  written: unknown,
  root: Path,
  base: ReadonlyMap<string, DrawnComponent>,
  context: NormaliseContext,
): Map<string, DrawnComponent | null> {
  const drawn = new Map<string, DrawnComponent | null>();
  const block = components(written, [...root, "components"], context.report);
  for (const [name, value] of Object.entries(block)) {
    const path = [...root, "components", name];
    const below = base.get(name);
    if (value !== null) {
      drawn.set(name, normaliseComponent(name, value, path, context, below, true));
    } else if (below === undefined) {
      context.report(
        "E-REF",
        `${quoted(name)} is not drawn in the base, so there is nothing to remove.${suggestion(name, base.keys())}`,
        path,
      );
    } else {
      drawn.set(name, null);
    }
  }
  return drawn;
}
