import { ToolFault } from "#runtime/fault";
import { MAX_BODY_BYTES } from "#runtime/http/answer";

/**
 * Gives each line of an answer to `take` as it arrives, and ends the transfer when `take` answers `false`. Nothing is
 * kept but a line that is not complete, and one of more than `MAX_BODY_BYTES` is `too_large`.
 */
export async function readLines(response: Response, take: (line: string) => boolean): Promise<void> {
  const decoder = new TextDecoder();
  const begun: string[] = [];
  let size = 0;
  // Leaving the loop cancels the stream, and that ends the transfer.
  for await (const chunk of response.body ?? []) {
    const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    begun.push(first);
    size += chunk.byteLength;
    for (const line of others) {
      if (!take(begun.splice(0).join(""))) return;
      begun.push(line);
      size = chunk.byteLength;
    }
    if (size > MAX_BODY_BYTES) {
      throw new ToolFault("too_large", `the service sent a line of more than ${MAX_BODY_BYTES} bytes`, {
        hint: "ask for less",
      });
    }
  }
  const last = begun.join("") + decoder.decode();
  if (last !== "") take(last);
}
