/**
 * A value in memory. Its string, JSON and inspect forms are `***`, so it cannot slip into a template, a
 * message or a log; `reveal` is the one way to it, and only sealing and the search for leaks call it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}
