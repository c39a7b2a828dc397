/** Helpers of Valkey and Redis account files, whose words are separated by blanks and cannot be quoted. */

/** A key pattern that matches exactly the keys with this prefix. */
export function aclPattern(prefix: unknown): string {
  return `${word(prefix).replace(/[\\*?[\]]/g, "\\$&")}*`;
}

/** The name of an account. */
export function aclName(name: unknown): string {
  return word(name);
}

/** A whole number, such as that of a database. */
export function aclNumber(value: unknown): string {
  if (!Number.isSafeInteger(value)) throw new TypeError(`not a whole number: ${JSON.stringify(value)}`);
  return String(value);
}

function word(value: unknown): string {
  const text = String(value);
  if (/[\s"'\u0000-\u001f]/.test(text)) {
    throw new TypeError(
      `${JSON.stringify(text)} cannot stand in an account: it holds a blank, a quote or a control character`,
    );
  }
  return text;
}
