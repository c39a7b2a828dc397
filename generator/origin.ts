import { join } from "node:path";
import type { Emitted, Engine } from "./generate.ts";
import { render } from "./generate.ts";
import { loadStack } from "./load/load.ts";
import { redraw } from "./load/redraw.ts";
import type { FileTree } from "./tree/file-tree.ts";
import { MANIFEST } from "./tree/manifest.ts";
import type { Plan } from "./tree/plan.ts";

export const DRAWING = "governance/drawing.json";

/** Whether a change follows from the drawing or from a newer generator; a file may change for both reasons. */
export interface Origin {
  readonly drawing: boolean;
  readonly generator: boolean;
}

const DRAWN: Origin = { drawing: true, generator: false };
const UPGRADED: Origin = { drawing: false, generator: true };

/** What this generator makes of the drawing that the output on disk was made from. */
async function renderPrevious(engine: Engine, emitted: Emitted): Promise<FileTree | undefined> {
  const path = join(emitted.root, DRAWING);
  if (emitted.topology === null || !engine.fs.existsSync(path)) return undefined;
  const { stack } = await loadStack({
    file: emitted.topology.source,
    bytes: redraw(engine.fs.readFileSync(path, "utf8")),
    catalog: engine.catalog.types,
    validate: engine.catalog.validators,
    neighbours: () => undefined,
  });
  if (stack === null) return undefined;
  const { environment, environments, source } = emitted.topology;
  return (await render(engine, { ...stack.base, environment, environments, source }, "", () => undefined))
    .tree;
}

/**
 * Tells the two reasons for a change apart, exactly: the drawing on record is rendered by this generator, and
 * that tree stands between the disk and the wanted tree. Where the record is missing, both reasons are named.
 */
export async function originOf(
  engine: Engine,
  emitted: Emitted,
  plan: Plan,
): Promise<(path: string) => Origin> {
  const { previous } = plan;
  if (previous === undefined || plan.manifest === null) return () => DRAWN;
  const sameGenerator = previous.generator === plan.manifest.generator;
  const sameDrawing = previous.drawing === plan.manifest.drawing;
  if (sameGenerator) return () => DRAWN;
  if (sameDrawing) return () => UPGRADED;
  const between = await renderPrevious(engine, emitted);
  return (path) => {
    const middle = between?.get(path)?.text;
    const after = emitted.tree.get(path)?.text;
    const full = join(emitted.root, path);
    const before = engine.fs.existsSync(full) ? engine.fs.readFileSync(full, "utf8") : undefined;
    // The manifest names both the generator and the drawing.
    if (emitted.tree.get(path)?.kind === "sealed") return DRAWN;
    if (between === undefined || path === MANIFEST) return { drawing: true, generator: true };
    return { drawing: middle !== after, generator: middle !== before };
  };
}
