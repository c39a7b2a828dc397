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
export class Collector {
  readonly #onFlood: () => void;
  readonly #chunks: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  readonly #cut: Record<Stream, boolean> = { stdout: false, stderr: false };
  #kept = 0;
  #seen = 0;

  /** `onFlood` is called when so much came that nobody will wait for the rest. */
  constructor(onFlood: () => void) {
    this.#onFlood = onFlood;
  }

  add(stream: Stream, chunk: Buffer): void {
    this.#seen += chunk.length;
    const part = chunk.subarray(0, Math.max(0, KEPT_BYTES - this.#kept));
    // A copy, because a part would keep the whole chunk alive.
    if (part.length > 0) this.#chunks[stream].push(Buffer.from(part));
    this.#kept += part.length;
    this.#cut[stream] ||= part.length < chunk.length;
    if (this.#seen > DRAINED_BYTES) this.#onFlood();
  }

  result(stream: Stream): Collected {
    return { bytes: Buffer.concat(this.#chunks[stream]), cut: this.#cut[stream] };
  }
}
