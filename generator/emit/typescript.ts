const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
/** Characters that end a line in JavaScript, or that a reviewer would not see. */
const INVISIBLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function literalText(text: string): string {
  return JSON.stringify(text).replace(
    INVISIBLE,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function keyOf(key: string): string {
  // `__proto__: x` would set the prototype; only the computed form makes it a property.
  if (key === "__proto__") return '["__proto__"]';
  return IDENTIFIER.test(key) ? key : literalText(key);
}

/** Lines up to this width stay on one line, as the formatter of this project has it. */
const WIDTH = 100;

/**
 * A value as TypeScript source. Only what JSON can hold; strings are escaped so that no value can end the
 * literal or hide a character from a reviewer.
 */
export function typescriptLiteral(value: unknown, indent = ""): string {
  if (value === null || typeof value === "boolean" || typeof value === "number") return JSON.stringify(value);
  if (typeof value === "string") return literalText(value);
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  if (!isList && typeof value !== "object") throw new TypeError(`no literal for ${typeof value}`);
  const items = isList
    ? value.map((item) => typescriptLiteral(item, inner))
    : Object.entries(value as object)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${keyOf(key)}: ${typescriptLiteral(item, inner)}`);
  if (items.length === 0) return isList ? "[]" : "{}";
  const [open, close, pad] = isList ? ["[", "]", ""] : ["{", "}", " "];
  const line = `${open}${pad}${items.join(", ")}${pad}${close}`;
  if (line.length + indent.length <= WIDTH && !line.includes("\n")) return line;
  return `${open}\n${items.map((item) => `${inner}${item},\n`).join("")}${indent}${close}`;
}
