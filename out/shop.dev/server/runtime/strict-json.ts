import { isUtf8 } from "node:buffer";

const MAX_DEPTH = 64;
const BYTE_ORDER_MARK = 0xfeff;

/** The index of the quote that ends the string which starts at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}

function isFollowedByColon(json: string, start: number): boolean {
  let at = start;
  while (/\s/.test(json[at] ?? "")) at += 1;
  return json[at] === ":";
}

/** Why valid JSON is refused all the same, or `undefined`. */
function objectionTo(json: string): string | undefined {
  // The keys of each object that is open at this point; arrays have none.
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (char === "{" || char === "[") {
      if (open.push(new Set()) > MAX_DEPTH) return `must not be nested deeper than ${MAX_DEPTH}`;
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = endOfString(json, at);
      if (isFollowedByColon(json, end + 1)) {
        const key = String(JSON.parse(json.slice(at, end + 1)));
        if (key === "__proto__" || open.at(-1)?.has(key)) return "must not name a key twice or __proto__";
        open.at(-1)?.add(key);
      }
      at = end;
    }
  }
  return undefined;
}

export type StrictJson = { readonly value: unknown } | { readonly objection: string };

/**
 * Parses JSON that every reader understands in the same way: no key twice, nothing that reaches a prototype,
 * and no nesting that a recursive reader would not survive. Throws a SyntaxError for what is not JSON.
 */
export function parseStrictJson(json: string): StrictJson {
  const value: unknown = JSON.parse(json);
  const objection = objectionTo(json);
  return objection === undefined ? { value } : { objection };
}

/** The text of UTF-8 bytes; throws a TypeError for anything else. */
export function utf8Text(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new TypeError("not UTF-8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}
