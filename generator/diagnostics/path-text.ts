import type { Path } from "../model/topology.ts";

/** A path as diagnostics name it, written as a JSON pointer; the root is the empty text. */
export function pathText(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
