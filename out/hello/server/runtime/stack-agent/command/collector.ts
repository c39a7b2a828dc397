/** Kept of one process; more is thrown away, so that a flood costs no memory. */
export const KEPT_BYTES = 262_144;
/** Read of one process before it is ended. */
const DRAINED_BYTES = 8 * 1024 * 1024;

type Stream = "stdout" | "stderr";

export interface Collected {
  readonly bytes: Buffer;
  /** Output was left out. */
  readonly cut: boolean;
}

/** Takes output as it comes, in whatever pieces, and keeps the beginning of it. */
export interface Collector {
  add(stream: Stream, chunk: Buffer): void;
  result(stream: Stream): Collected;
}

/** `onFlood` is called when so much came that nobody will wait for the rest. */
export function createCollector(onFlood: () => void): Collector {
  const chunks: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  const cut: Record<Stream, boolean> = { stdout: false, stderr: false };
  let [kept, seen] = [0, 0];
  return {
    add: (stream, chunk) => {
      seen += chunk.length;
      const part = chunk.subarray(0, Math.max(0, KEPT_BYTES - kept));
      // A copy, because a part would keep the whole chunk alive.
      if (part.length > 0) chunks[stream].push(Buffer.from(part));
      kept += part.length;
      cut[stream] ||= part.length < chunk.length;
      if (seen > DRAINED_BYTES) onFlood();
    },
    result: (stream) => ({ bytes: Buffer.concat(chunks[stream]), cut: cut[stream] }),
  };
}
