/** Whether `*` in the glob can stand for something so that it is the text; linear, without backtracking. */
export function matchesGlob(glob: string, text: string): boolean {
  const [head = "", ...rest] = glob.split("*");
  if (!text.startsWith(head)) return false;
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  let at = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - tail.length >= at && text.endsWith(tail);
}
