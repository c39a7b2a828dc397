import type { Piece, RuntimeFile } from "../catalog/compiled.ts";

/** Files of the folder that the text imports: `#runtime/postgresql/guard` is `guard.ts`. */
function importsIn(text: string, folder: string): readonly string[] {
  const pattern = new RegExp(`from "#runtime/${folder}/([^"]+)"`, "g");
  return [...text.matchAll(pattern)].map((match) => `templates/${folder}/runtime/${match[1] ?? ""}.ts`);
}

function reachable(
  start: readonly string[],
  texts: ReadonlyMap<string, string>,
  folder: string,
): ReadonlySet<string> {
  const seen = new Set(start);
  for (const path of seen) for (const next of importsIn(texts.get(path) ?? "", folder)) seen.add(next);
  return seen;
}

/**
 * The runtime files of a folder with the write tools that need them, so that a link drawn `read` does not even
 * carry the code that its writes would use. A file that nothing imports is kept for every link.
 */
export function compileRuntime(
  folder: string,
  pieces: readonly Piece[],
  texts: ReadonlyMap<string, string>,
): readonly RuntimeFile[] {
  const importedBy = (wanted: (piece: Piece) => boolean): readonly string[] =>
    pieces.filter(wanted).flatMap(({ text }) => importsIn(text ?? "", folder));
  const always = reachable(
    importedBy((piece) => piece.needs === undefined),
    texts,
    folder,
  );
  const tools = new Set(pieces.flatMap(({ needs }) => needs ?? []));
  const needs = new Map<string, string[]>();
  for (const tool of [...tools].sort()) {
    const own = importedBy((piece) => piece.needs?.includes(tool) === true);
    for (const path of reachable(own, texts, folder))
      if (!always.has(path)) needs.set(path, [...(needs.get(path) ?? []), tool]);
  }
  return [...texts.keys()].map((path) => {
    const tools = needs.get(path);
    return tools === undefined ? { path } : { path, needs: tools };
  });
}
