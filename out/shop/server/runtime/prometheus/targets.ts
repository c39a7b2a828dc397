import { cutText, recordOf } from "#runtime/json-shape";

const MAX_TEXT = 300;

export interface Target {
  readonly pool: string;
  readonly job: string;
  readonly instance: string;
  readonly health: string;
  readonly last_error: string;
  /** How long the last scrape took. */
  readonly last_scrape_ms: number;
}

/** A target without its discovered labels, which are many and say where the service was found. */
export function targetOf(value: unknown): Target {
  const { scrapePool, labels, health, lastError, lastScrapeDuration } = recordOf(value);
  const { job, instance } = recordOf(labels);
  return {
    pool: cutText(scrapePool, MAX_TEXT),
    job: cutText(job, MAX_TEXT),
    instance: cutText(instance, MAX_TEXT),
    health: cutText(health, MAX_TEXT),
    last_error: cutText(lastError, MAX_TEXT),
    last_scrape_ms: Number((Number(lastScrapeDuration) * 1000).toFixed(3)),
  };
}

/** Down before unknown before up, then by job and instance. */
export function compareTargets(a: Target, b: Target): number {
  const key = ({ health, job, instance, pool }: Target): string =>
    [health, job, instance, pool].join("\u0000");
  return key(a) < key(b) ? -1 : 1;
}

export function healthTotals(targets: readonly Target[]): Readonly<Record<string, number>> {
  const count = (health: string): number => targets.filter((target) => target.health === health).length;
  return { up: count("up"), down: count("down"), unknown: count("unknown") };
}
