import type { CompiledModule, CompiledTool, Piece } from "../catalog/compiled.ts";
import { fillHoles } from "./holes.ts";
import { typescriptLiteral } from "./typescript.ts";

/** What one drawn link makes of a tool module. */
export interface Specialization {
  /** A tool's name by what follows the prefix in the template: `_get`. */
  readonly nameOf: (rest: string) => string;
  readonly slots: Readonly<Record<string, unknown>>;
  /** The write tools that stay, by their names in the template; everything only others need is cut out. */
  readonly writeTools: ReadonlySet<string>;
}

/** A slot without a value, or a value without a slot: `component.ts` and `tools.ts` disagree. */
export class SlotError extends Error {
  constructor(module: string, slot: string, problem: string) {
    super(`${module}: slot "${slot}" ${problem}`);
    this.name = "SlotError";
  }
}

function pieceText(piece: Piece, module: CompiledModule, how: Specialization): string {
  if (piece.text !== undefined) return piece.text;
  if (piece.slot !== undefined) {
    const value = how.slots[piece.slot];
    if (value === undefined) throw new SlotError(module.from, piece.slot, "has no value");
    return typescriptLiteral(value);
  }
  const name = how.nameOf(piece.name ?? "");
  return piece.quoted === true ? JSON.stringify(name) : name;
}

/** The source of the link's tool module: the template's own text with its slots filled and its writes cut. */
export function specialize(module: CompiledModule, how: Specialization): string {
  for (const slot of Object.keys(how.slots)) {
    if (!module.slots.includes(slot)) throw new SlotError(module.from, slot, "does not exist in the module");
  }
  return module.pieces
    .filter((piece) => piece.needs === undefined || piece.needs.some((tool) => how.writeTools.has(tool)))
    .map((piece) => pieceText(piece, module, how))
    .join("")
    .trimStart();
}

/** The tools that the specialized module will register, as data. */
export function specializedTools(
  module: CompiledModule,
  how: Specialization,
  rename: (templateName: string) => string,
): readonly CompiledTool[] {
  return module.tools
    .filter((tool) => tool.effect === "read" || how.writeTools.has(tool.name))
    .map((tool) => ({
      ...(fillHoles(tool, how.nameOf, how.slots) as CompiledTool),
      name: rename(tool.name),
    }));
}
