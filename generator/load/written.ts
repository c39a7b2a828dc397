import type { Path } from "../model/topology.ts";
import { isBlock } from "../model/block.ts";

interface Clip {
  readonly path: Path;
  /** `shorter`: a scalar stands where the normalised drawing goes on. */
  readonly end: "whole" | "shorter" | "absent";
}

/** As much of `path` as the file really has; a name in a list becomes its index. */
function clip(root: unknown, path: Path): Clip {
  const found: (string | number)[] = [];
  let node = root;
  for (const step of path) {
    if (Array.isArray(node)) {
      const index = typeof step === "number" ? step : node.indexOf(step);
      if (index < 0 || index >= node.length) return { path: found, end: "absent" };
      found.push(index);
      node = node[index];
    } else if (isBlock(node)) {
      if (!Object.hasOwn(node, step)) return { path: found, end: "absent" };
      found.push(step);
      node = node[String(step)];
    } else {
      return { path: found, end: node === null || node === undefined ? "absent" : "shorter" };
    }
  }
  return { path: found, end: "whole" };
}

/**
 * Where a path of the normalised drawing stands in the file as it was written.
 *
 * Shorthand has fewer levels than what it stands for, so a path ends where the file ends. A value of an
 * environment stands in that environment's block or, when the block does not repeat it, in the base.
 */
export function writtenPath(root: unknown, path: Path): Path {
  const direct = clip(root, path);
  if (direct.end !== "absent" || path[0] !== "environments") return direct.path;
  const base = clip(root, path.slice(2));
  return base.path.length > direct.path.length - 2 ? base.path : direct.path;
}
