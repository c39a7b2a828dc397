import { suggestion } from "../diagnostics/suggest.ts";
import type { Path } from "../model/topology.ts";
import type { Block } from "../model/block.ts";
import { isBlock, kindOf } from "../model/block.ts";
import type { Drawing, DrawnLink, Overlay } from "../model/drawing.ts";
import { normaliseComponentOverlay, normaliseComponents } from "./normalise-components.ts";
import type { NormaliseContext } from "./normalise-components.ts";
import { normaliseLinkOverlay, normaliseLinks } from "./normalise-links.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";

/** What may stand in an environment beside components and links. */
const ENVIRONMENT_KEYS = ["access", "cluster_domain", "components", "defaults", "domain", "links"] as const;

/** Writes out every shorthand of the base. Unknown attributes stay: validation names them with their place. */
export function normalise(written: Block, context: NormaliseContext): Drawing {
  const { components, links, environments: _environments, ...root } = written;
  return {
    root,
    components: normaliseComponents(components, context),
    links: normaliseLinks(links, context.report),
  };
}

function overlayRoot(written: Block, path: Path, report: Report): Block {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(written)) {
    if (key === "components" || key === "links" || key.startsWith("x-")) continue;
    if (ENVIRONMENT_KEYS.some((known) => known === key)) root[key] = value;
    else {
      report(
        "E-UNKNOWN-KEY",
        `unknown key ${quoted(key)} in an environment.${suggestion(key, ENVIRONMENT_KEYS)}`,
        [...path, key],
      );
    }
  }
  return root;
}

/** Writes out every shorthand of one environment, which may take away with `null`. */
export function normaliseOverlay(
  written: unknown,
  path: Path,
  base: Drawing,
  index: ReadonlyMap<string, DrawnLink>,
  context: NormaliseContext,
): Overlay {
  if (written !== null && !isBlock(written)) {
    context.report("E-SHAPE", `an environment is ${kindOf(written)}: write a map`, path);
    return { root: {}, components: new Map(), links: new Map(), cleared: new Set() };
  }
  const block = written ?? {};
  return {
    root: overlayRoot(block, path, context.report),
    components: normaliseComponentOverlay(block["components"], path, base.components, context),
    ...normaliseLinkOverlay(block["links"], path, index, context.report),
  };
}
