import { CommandRefused } from "./refused.ts";

/** How many processes may run at once, and how many commands may wait for a place. */
export class Slots {
  readonly #parallel: number;
  readonly #queue: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parallel: number, queue: number) {
    this.#parallel = parallel;
    this.#queue = queue;
  }

  /** Runs `work` when there is a place, in the order of asking. A full queue and an abort are refusals. */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new CommandRefused("busy", "there was no time left to start");
    if (this.#running < this.#parallel) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#queue) {
      throw new CommandRefused(
        "busy",
        `${this.#parallel} commands run and ${this.#queue} wait`,
        "call again in a few seconds",
      );
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(new CommandRefused("busy", "no place became free in time"));
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(enter);
    });
  }
}
