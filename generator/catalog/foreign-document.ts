/** Documents that somebody else wrote: how their parts are found. Nothing is ever fetched. */

export type Json = Readonly<Record<string, unknown>>;

/** A part of the document, and the references that led to it: one that comes again is a cycle. */
export interface Part {
  readonly value: Json;
  readonly through: ReadonlySet<string>;
  /** How many schemas it stands in. */
  readonly depth: number;
}

/** Below this a schema is an object of any kind. */
export const MAX_DEPTH = 6;
const MAX_REFERENCES = 20;

export function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A member that the object itself has; a document may name anything, `constructor` too. */
export function own(object: Json, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export interface ForeignDocument {
  readonly root: Json;
  /** Follows references within the document. `undefined` for a cycle and for what is not there. */
  part(value: unknown, from?: Part): Part | undefined;
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    // No text in any encoding: there is no such member.
    return token;
  }
}

function at(root: Json, reference: string): unknown {
  return reference
    .slice(2)
    .split("/")
    .map((token) => decoded(token).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>(
      (value, token) => (Array.isArray(value) ? value[Number(token)] : own(recordOf(value), token)),
      root,
    );
}

/** `report` hears of references that lead out of the document or nowhere, each once. */
export function openDocument(content: unknown, report: (problem: string) => void): ForeignDocument {
  const root = recordOf(content);
  const said = new Set<string>();
  const complain = (reference: string, problem: string): undefined => {
    if (!said.has(reference)) report(`the reference ${JSON.stringify(reference.slice(0, 100))} ${problem}`);
    said.add(reference);
    return undefined;
  };
  const part: ForeignDocument["part"] = (value, from) => {
    const through = new Set(from?.through);
    let found = recordOf(value);
    for (let count = 0; typeof found["$ref"] === "string"; count += 1) {
      const reference = found["$ref"];
      if (!/^#\/(?:[^%]|%[0-9a-f]{2})*$/i.test(reference))
        return complain(reference, "leads out of the document: bundle it into one file");
      if (through.has(reference)) return undefined;
      if (count === MAX_REFERENCES) return complain(reference, "leads through too many others");
      through.add(reference);
      const next = at(root, reference);
      if (next === undefined) return complain(reference, "leads nowhere");
      found = recordOf(next);
    }
    return { value: found, through, depth: (from?.depth ?? -1) + 1 };
  };
  return { root, part };
}
