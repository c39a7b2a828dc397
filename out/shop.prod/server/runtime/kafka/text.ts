const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// Tab, line feed and carriage return are text; another control character means that the bytes are not.
const CONTROL = /[^\P{Cc}\t\n\r]/u;

/** The bytes as text, or `undefined` when they are not printable UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return CONTROL.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The bytes without half a character at the end, which a cut may have left. */
export function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}
