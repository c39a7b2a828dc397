/** Kept of one process; more is thrown away, so that a flood costs no memory. */
export const KEPT_BYTES = 262_144;
/** Read of one process before it is ended. */
const DRAINED_BYTES = 8 * 1024 * 1024;

type Stream = "stdout" | "stderr";

/** Takes output as it comes, in whatever pieces, and keeps the beginning of it. */
export class Collector {
  readonly #onFlood: () => void;
  readonly #chunks: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  #kept = 0;
  #seen = 0;

  /** `onFlood` is called when so much came that nobody will wait for the rest. */
  constructor(onFlood: () => void) {
    this.#onFlood = onFlood;
  }

  add(stream: Stream, chunk: Buffer): void {
    this.#seen += chunk.length;
    const room = KEPT_BYTES - this.#kept;
    if (room > 0) {
      const part = chunk.subarray(0, room);
      this.#chunks[stream].push(Buffer.from(part));
      this.#kept += part.length;
    }
    if (this.#seen > DRAINED_BYTES) this.#onFlood();
  }

  result(): { readonly stdout: Buffer; readonly stderr: Buffer; readonly cut: boolean } {
    return {
      stdout: Buffer.concat(this.#chunks.stdout),
      stderr: Buffer.concat(this.#chunks.stderr),
      cut: this.#seen > this.#kept,
    };
  }
}
