/**
 * A name, a host, a port or a path in a configuration file. Throws for anything else, since such files have no
 * quoting in common.
 */
export function word(value: unknown): string {
  const text = String(value);
  if (!/^[A-Za-z0-9_./:-]*$/.test(text)) {
    throw new TypeError(`${JSON.stringify(text)} cannot stand in a configuration file as it is`);
  }
  return text;
}

/** A word that a regular expression takes literally. */
export function regexText(value: unknown): string {
  return word(value).replaceAll(".", "\\.");
}
