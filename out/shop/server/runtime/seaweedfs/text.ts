import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ToolFault } from "#runtime/fault";
import { MAX_PAGE_BYTES } from "#runtime/page";
import { headObject, readRange } from "#runtime/seaweedfs/object";
import type { ObjectFacts } from "#runtime/seaweedfs/object";
import type { Account } from "#runtime/seaweedfs/store";
import type { ToolResult } from "#runtime/tool";

/** Of a packed object, both as stored and as unpacked. */
export const MAX_UNPACKED = 1_048_576;
export const ENCODINGS = ["utf-8", "latin1"] as const;

/** Of a client that stores its stream in signed pieces; the store holds the bytes without them. */
const UNPACKED = ["", "identity", "aws-chunked"];
const unpack = promisify(gunzip);

export interface Place {
  readonly account: Account;
  readonly bucket: string;
  readonly key: string;
}

interface Wanted {
  readonly offset: number;
  readonly max_bytes: number;
  readonly encoding: (typeof ENCODINGS)[number];
  readonly tail: boolean;
}

function tooLarge(what: string): ToolFault {
  return new ToolFault("too_large", `the object is packed, and ${what} more than ${MAX_UNPACKED} bytes`);
}

async function unpacked(bytes: Buffer): Promise<Buffer> {
  try {
    return await unpack(bytes, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge("unpacks to");
    throw new ToolFault("invalid_argument", "the object says that it is packed with gzip, and is not");
  }
}

/** All of a packed object, which has no ranges to ask for; `null` for one that is stored as it is. */
async function wholeOf(
  { account, bucket, key }: Place,
  facts: ObjectFacts,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const packing = facts.encoding.toLowerCase();
  const isPlain = UNPACKED.includes(packing);
  if (isPlain && !key.endsWith(".gz")) return null;
  if (!isPlain && packing !== "gzip")
    throw new ToolFault(
      "invalid_argument",
      "the object is packed, and not with gzip: it cannot be read as text",
    );
  if (facts.size > MAX_UNPACKED) throw tooLarge("holds");
  if (facts.size === 0) return Buffer.alloc(0);
  return await unpacked(await readRange(account, bucket, key, { start: 0, length: facts.size }, signal));
}

/** The piece without the halves of characters that its ends went through. */
function wholeCharacters(
  piece: Buffer,
  cut: { readonly before: boolean; readonly after: boolean },
): readonly [number, number] {
  const continues = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
  let start = 0;
  while (cut.before && start < 3 && continues(piece[start])) start += 1;
  let lead = piece.length - 1;
  while (cut.after && lead > piece.length - 4 && continues(piece[lead])) lead -= 1;
  const byte = piece[lead] ?? 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  const end = cut.after && lead + length > piece.length ? lead : piece.length;
  return [start, Math.max(start, end)];
}

function decoded(piece: Buffer, encoding: Wanted["encoding"]): string {
  if (piece.includes(0)) {
    throw new ToolFault("invalid_argument", "the object holds NUL bytes: it is no text", {
      hint: "its metadata and bytes can be had as they are",
    });
  }
  if (encoding === "latin1") return piece.toString("latin1");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(piece);
  } catch {
    throw new ToolFault("invalid_argument", "the object is not UTF-8", {
      hint: "encoding=latin1 reads any bytes",
    });
  }
}

/** As many characters from one end as a result holds: escaped, text can be many times as long. */
function fitting(text: string, fromEnd: boolean): string {
  if (Buffer.byteLength(JSON.stringify(text)) <= MAX_PAGE_BYTES) return text;
  const characters = fromEnd ? [...text].reverse() : [...text];
  let bytes = 0;
  const kept = characters.findIndex((character) => {
    bytes += Buffer.byteLength(JSON.stringify(character)) - 2;
    return bytes > MAX_PAGE_BYTES;
  });
  const shown = characters.slice(0, kept);
  return (fromEnd ? shown.reverse() : shown).join("");
}

/** A piece of an object as text, which begins and ends between characters. */
export async function readText(place: Place, wanted: Wanted, signal: AbortSignal): Promise<ToolResult> {
  const { account, bucket, key } = place;
  const facts = await headObject(account, bucket, key, signal);
  const whole = await wholeOf(place, facts, signal);
  const size = whole?.length ?? facts.size;
  const { offset, max_bytes, encoding, tail } = wanted;
  const from = tail ? Math.max(0, size - max_bytes) : offset;
  if (from > size)
    throw new ToolFault("invalid_argument", `offset is past the end: the text has ${size} bytes`);
  const length = Math.min(max_bytes, size - from);
  const piece =
    whole?.subarray(from, from + length) ??
    (length === 0 ? Buffer.alloc(0) : await readRange(account, bucket, key, { start: from, length }, signal));
  const around = { before: from > 0, after: from + piece.length < size };
  const [start, end] = encoding === "utf-8" ? wholeCharacters(piece, around) : [0, piece.length];
  const text = fitting(decoded(piece.subarray(start, end), encoding), tail);
  const bytes = Buffer.byteLength(text, encoding === "utf-8" ? "utf8" : "latin1");
  const begins = tail ? from + end - bytes : from + start;
  const next = begins + bytes < size && !tail ? begins + bytes : null;
  const data = {
    key,
    text,
    offset: begins,
    bytes,
    size,
    type: facts.type,
    etag: facts.etag,
    packed: whole !== null,
    next_offset: next,
  };
  if (next !== null)
    return { data, truncation: { by: "bytes", limit: max_bytes, hint: "go on with offset=next_offset" } };
  if (tail && begins > 0)
    return { data, truncation: { by: "bytes", limit: max_bytes, hint: "tail=false reads from the start" } };
  return { data };
}
