import type { Redis } from "ioredis";
import { forgedCursor } from "#runtime/valkey/page";
import type { Batch } from "#runtime/valkey/page";
import { textOf, wholeCharacters } from "#runtime/valkey/text";

/** Fields the server looks at for one HSCAN; a small hash comes whole. */
const HSCAN_COUNT = 100;

export interface Field {
  readonly name: string;
  readonly value: string;
  readonly isCut: boolean;
}

function shown(bytes: Buffer, max: number): { readonly text: string; readonly isCut: boolean } {
  const isCut = bytes.length > max;
  const part = isCut ? bytes.subarray(0, max) : bytes;
  const readable = textOf(isCut ? wholeCharacters(part) : part);
  const text = readable ?? `base64:${part.toString("base64")}`;
  return { text: isCut ? `${text}… (${bytes.length} bytes)` : text, isCut };
}

/** Reads the fields of a hash with HSCAN; names and values are cut to `max` bytes. */
export function fieldReader(
  redis: Redis,
  key: string,
  max: number,
): (batch: string) => Promise<Batch<Field>> {
  return async (batch) => {
    if (batch.includes(":")) throw forgedCursor();
    const [next, flat] = await redis.hscanBuffer(key, batch, "COUNT", HSCAN_COUNT);
    const fields = new Map<string, Field>();
    for (let index = 0; index + 1 < flat.length; index += 2) {
      const name = shown(flat[index] as Buffer, max);
      const value = shown(flat[index + 1] as Buffer, max);
      fields.set(name.text, { name: name.text, value: value.text, isCut: name.isCut || value.isCut });
    }
    const following = next.toString();
    return { items: [...fields.values()], next: following === "0" ? null : following };
  };
}

/** About what a field costs in the result. */
export function bytesOfField(field: Field): number {
  return Buffer.byteLength(field.name) + Buffer.byteLength(field.value) + 6;
}
