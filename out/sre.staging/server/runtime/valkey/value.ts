import { ToolFault } from "#runtime/fault";
import { textOf, wholeCharacters } from "#runtime/valkey/text";

export const DECODINGS = ["auto", "json", "base64"] as const;

/** The first bytes of a value as the caller wants to see them; `isCut` says that more follow. */
export function decode(bytes: Buffer, as: (typeof DECODINGS)[number], isCut: boolean): object {
  if (as === "json") return { encoding: "json", value: parse(bytes, isCut) };
  const readable = as === "auto" ? textOf(isCut ? wholeCharacters(bytes) : bytes) : undefined;
  if (readable !== undefined) return { encoding: "text", value: readable };
  return { encoding: "base64", value: bytes.toString("base64") };
}

function parse(bytes: Buffer, isCut: boolean): unknown {
  if (isCut) {
    throw new ToolFault(
      "too_large",
      `only the first ${bytes.length} bytes were read, too few to parse the value`,
      {
        hint: "raise max_bytes, or use decode=auto",
      },
    );
  }
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ToolFault("invalid_argument", "the value is not JSON", { hint: "use decode=auto" });
  }
}
