/**
 * A glob over names as the regular expression that the broker runs: every other sign stands for itself. The
 * number of stars is limited, because each one more makes a match that fails slower there.
 */
export function globExpression(glob: string): string {
  const parts = glob.split("*").map((part) => part.replace(/[^A-Za-z0-9_]/gu, "\\$&"));
  return `^${parts.join(".*")}$`;
}
