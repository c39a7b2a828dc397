const SPECIFIER = /^(?:import|export)\b[^"';]*\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm;

/** The modules that the text imports, early or late, as it names them. */
export function specifiersIn(text: string): readonly string[] {
  return [...text.matchAll(SPECIFIER)].map(([, fixed, late]) => fixed ?? late ?? "");
}
