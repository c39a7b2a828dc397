/** Decompression that stops at a size: one small batch may unfold to gigabytes. */
import zlib from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";

export const MAX_UNFOLDED_BYTES = 16 * 1024 * 1024;

export function tooLarge(): ToolFault {
  return new ToolFault("too_large", `the messages unfold to more than ${MAX_UNFOLDED_BYTES} bytes`, {
    hint: "read from a later offset",
  });
}

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);

/** The size that a block of Snappy gives first. */
function snappyBlock(block: Buffer): number {
  let size = 0;
  for (let index = 0; index < Math.min(5, block.length); index += 1) {
    const byte = block[index] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  return size;
}

/** Java clients put blocks behind a header of their own; others send one block. */
function snappySize(data: Buffer): number {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return snappyBlock(data);
  let size = 0;
  for (let at = 16; at + 4 <= data.length;) {
    const length = data.readUInt32BE(at);
    size += snappyBlock(data.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return size;
}

/** Reads a length that goes on for as long as its bytes are 255. */
function extended(block: Buffer, at: number, start: number): readonly [length: number, next: number] {
  if (start < 15) return [start, at];
  let length = start;
  for (let next = at; next < block.length; next += 1) {
    const byte = block[next] ?? 0;
    length += byte;
    if (byte !== 255) return [length, next + 1];
  }
  return [length, block.length];
}

/** Adds up the sequences of a block without unfolding them. */
function lz4Block(block: Buffer): number {
  let size = 0;
  for (let at = 0; at < block.length;) {
    const token = block[at] ?? 0;
    const [literals, afterLiterals] = extended(block, at + 1, token >> 4);
    size += literals;
    at = afterLiterals + literals;
    if (at >= block.length) break;
    const [match, next] = extended(block, at + 2, token & 0x0f);
    size += match + 4;
    at = next;
  }
  return size;
}

function lz4Size(data: Buffer): number {
  const flags = data[4] ?? 0;
  let size = 0;
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  while (at + 4 <= data.length) {
    const word = data.readUInt32LE(at);
    if (word === 0) break;
    const length = word & 0x7fff_ffff;
    const block = data.subarray(at + 4, at + 4 + length);
    size += word >= 0x8000_0000 ? length : lz4Block(block);
    at += 4 + length + ((flags & 0x10) === 0 ? 0 : 4);
  }
  return size;
}

/** Before Node 22.15 there is no zstd. */
type Zstd = (data: Buffer, options: { readonly maxOutputLength: number }) => Buffer;
const zstd = (zlib as { readonly zstdDecompressSync?: Zstd }).zstdDecompressSync;

function bounded(unfold: () => Buffer): Buffer {
  try {
    return unfold();
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw error;
  }
}

/** The records of a batch, at most `limit` bytes of them; `codec` is the number in the batch's attributes. */
export function unfold(data: Buffer, codec: number, limit: number): Buffer {
  const options = { maxOutputLength: Math.max(1, limit) };
  if (codec === 0) return data;
  if (codec === 1) return bounded(() => zlib.gunzipSync(data, options));
  if (codec === 2 || codec === 3) {
    if ((codec === 2 ? snappySize(data) : lz4Size(data)) > limit) throw tooLarge();
    return compressionsAlgorithms[codec === 2 ? "snappy" : "lz4"].decompressSync(data);
  }
  if (codec === 4 && zstd !== undefined) return bounded(() => zstd(data, options));
  throw new ToolFault(
    "upstream_unavailable",
    `the messages are compressed in a way that this server cannot read (${codec})`,
    {
      hint: "zstd needs Node 22.15 or later",
    },
  );
}
