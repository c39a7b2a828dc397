/** Everything about sealing that differs from run to run, so that a test can hold it still. */
export interface Randomness {
  now(): Date;
  randomBytes(count: number): Uint8Array;
  /** The data key for one recipient: an armored age file. */
  wrap(dataKey: Uint8Array, recipient: string): Promise<string>;
}
