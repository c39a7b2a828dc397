/** Words further apart than this are different words, not a slip of the keyboard. */
const MAX_DISTANCE = 3;

/** Gives up with `limit` as soon as the distance cannot be smaller. */
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    if (Math.min(...current) >= limit) return limit;
    previous = current;
  }
  return previous[b.length] ?? limit;
}

/** The known word that was probably meant; the first in order when two are equally near. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const lower = word.toLowerCase().slice(0, 80);
  let best: string | undefined;
  let nearest = Math.min(MAX_DISTANCE, Math.ceil(lower.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - lower.length) >= nearest) continue;
    const distance = editDistance(lower, candidate.toLowerCase(), nearest);
    if (distance < nearest) [best, nearest] = [candidate, distance];
  }
  return best;
}

/** At most this many known words in one hint, so that an error stays short in a large stack. */
const MAX_LISTED = 20;

/** A hint for an unknown word: what was probably meant, else the words there are. */
export function hintFor(word: string, known: readonly string[]): string {
  const meant = suggest(word, known);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  if (known.length === 0) return "there is none";
  const rest = known.length - MAX_LISTED;
  return `use one of: ${known.slice(0, MAX_LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
