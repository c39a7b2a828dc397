/** What an operator is told about one code or one reason. */
export interface Explained {
  readonly means: string;
  readonly remedy: string;
}

/** Of a request that was turned away. */
export interface Turned extends Explained {
  /** What the caller sees. */
  readonly seen: string;
}
