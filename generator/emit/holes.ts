/**
 * Holes in compiled tool data: the build evaluates a tool module once with symbolic slots, and `generate`
 * writes the drawn values in their place without running any template code.
 */

/** Stands for the link's tool prefix inside a string; the rest of the tool's name follows. */
export const PREFIX_HOLE = "\u0001";
/** Encloses the path of a slot value: a whole list when it is a list's only element, else text. */
export const SLOT_HOLE = "\u0002";

/** A tool module uses a slot in a way that cannot be filled later, such as joining a list into a text. */
export class HoleError extends Error {
  constructor(path: string) {
    super(
      `slot value "${path}" is used in a schema in a way that cannot be filled: use the list, or list.map((x) => x.field), as a closed enum`,
    );
    this.name = "HoleError";
  }
}

/** The value that a template sees for `slot(name, sample)` while the build evaluates it. */
export function symbolic(path: string, sample: unknown): unknown {
  if (typeof sample === "string") return `${SLOT_HOLE}${path}${SLOT_HOLE}`;
  if (Array.isArray(sample)) return sample.length === 0 ? [] : [symbolic(path, sample[0])];
  if (typeof sample === "object" && sample !== null) {
    return Object.fromEntries(
      Object.entries(sample).map(([key, value]) => [key, symbolic(`${path}.${key}`, value)]),
    );
  }
  return sample;
}

function listAt(slots: Readonly<Record<string, unknown>>, path: string): readonly unknown[] {
  const [slot = "", ...fields] = path.split(".");
  const value = slots[slot];
  if (!Array.isArray(value)) throw new HoleError(path);
  return value.map((item: unknown) =>
    fields.reduce<unknown>((inner, field) => (inner as Record<string, unknown>)[field], item),
  );
}

function textAt(slots: Readonly<Record<string, unknown>>, path: string): string {
  const [slot = "", ...fields] = path.split(".");
  const value = fields.reduce<unknown>(
    (inner, field) => (inner as Record<string, unknown>)[field],
    slots[slot],
  );
  if (typeof value !== "string" && typeof value !== "number") throw new HoleError(path);
  return String(value);
}

type NameOf = (rest: string) => string;

function fillText(text: string, nameOf: NameOf, slots: Readonly<Record<string, unknown>>): string {
  if (!text.includes(PREFIX_HOLE) && !text.includes(SLOT_HOLE)) return text;
  return text
    .replace(/\u0001(\w*)/g, (_, rest: string) => nameOf(rest))
    .replace(/\u0002([^\u0002]*)\u0002/g, (_, path: string) => textAt(slots, path));
}

const WHOLE = /^\u0002([^\u0002]*)\u0002$/;

type Slots = Readonly<Record<string, unknown>>;

function fillList(list: readonly unknown[], nameOf: NameOf, slots: Slots): readonly unknown[] {
  const only = list.length === 1 ? list[0] : undefined;
  const whole = typeof only === "string" ? WHOLE.exec(only) : null;
  if (whole?.[1] !== undefined) return listAt(slots, whole[1]);
  const filled = list.map((item) => fillHoles(item, nameOf, slots));
  return filled.every((item, index) => item === list[index]) ? list : filled;
}

function fillRecord(record: Slots, nameOf: NameOf, slots: Slots): Slots {
  const filled: Record<string, unknown> = {};
  let same = true;
  for (const key of Object.keys(record)) {
    const value = fillHoles(record[key], nameOf, slots);
    same &&= value === record[key];
    // As `oneOf` of the runtime says that nothing was drawn: the lock holds what the server registers.
    if (key === "enum" && Array.isArray(value) && value.length === 0) filled["not"] = {};
    else filled[key] = value;
  }
  return same ? record : filled;
}

/** The same data with every hole filled; a part without holes is that part itself, shared by all links. */
export function fillHoles(value: unknown, nameOf: NameOf, slots: Slots): unknown {
  if (typeof value === "string") return fillText(value, nameOf, slots);
  if (Array.isArray(value)) return fillList(value, nameOf, slots);
  if (typeof value === "object" && value !== null) return fillRecord(value as Slots, nameOf, slots);
  return value;
}
