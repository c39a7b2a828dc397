import { writeSync } from "node:fs";
import type { Said } from "./no-change.ts";

/**
 * Writes at once, without the streams, which Node would have to load first; they take over when a pipe is full
 * or gone.
 */
export function print({ stream, text }: Said): void {
  const bytes = Buffer.from(text);
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(stream === "stdout" ? 1 : 2, bytes, done);
  } catch {
    process[stream].write(bytes.subarray(done));
  }
}
