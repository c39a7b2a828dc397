import type { Principal } from "#runtime/identity/identity";
import { integerSetting } from "#runtime/server-settings";
import type { Environment } from "#runtime/settings";
import type { ToolEntry } from "#runtime/surface/tool-index";

/** A token bucket: `burst` calls at once, and `perMinute` in the long run. */
export interface Bucket {
  readonly key: string;
  readonly perMinute: number;
  readonly burst: number;
}

/** Where buckets are kept. */
export interface RateStore {
  /** Takes one token of each, or of none; how long to wait in milliseconds, 0 when they were taken. */
  take(buckets: readonly Bucket[]): Promise<number>;
}

/** `undefined` is the default, 0 is off. */
export interface RateSettings {
  readonly read: number | undefined;
  readonly write: number | undefined;
  readonly global: number | undefined;
  readonly burst: number;
}

const READ_PER_MINUTE = 60;
const WRITE_PER_MINUTE = 10;
const GLOBAL_PER_MINUTE = 3_000;
/** As many tools as one caller may use to the full. */
const TOOLS_AT_ONCE = 5;
/** As many calls as a client makes in parallel. */
const BURST = 20;
const MOST_PER_MINUTE = 1_000_000;

export function readRateSettings(environment: Environment): RateSettings {
  const range = { fallback: 0, min: 0, max: MOST_PER_MINUTE };
  const isSet = (name: string): boolean => (environment[name] ?? "") !== "";
  const read = integerSetting(environment, "MCP_RATE_LIMIT_READ_PER_MIN", range);
  const write = integerSetting(environment, "MCP_RATE_LIMIT_WRITE_PER_MIN", range);
  const global = integerSetting(environment, "MCP_RATE_LIMIT_GLOBAL_PER_MIN", range);
  return {
    read: isSet("MCP_RATE_LIMIT_READ_PER_MIN") ? read : undefined,
    write: isSet("MCP_RATE_LIMIT_WRITE_PER_MIN") ? write : undefined,
    global: isSet("MCP_RATE_LIMIT_GLOBAL_PER_MIN") ? global : undefined,
    burst: integerSetting(environment, "MCP_RATE_LIMIT_BURST", { fallback: BURST, min: 1, max: 10_000 }),
  };
}

const MINUTES: Readonly<Record<string, number>> = { s: 60, min: 1, h: 1 / 60 };

/** Calls in a minute of `10/min` or `5/s`; `undefined` for what was not drawn. */
export function drawnRate(text: string | undefined): number | undefined {
  const [, count, unit = ""] = /^(\d+)\/([a-z]+)$/.exec(text ?? "") ?? [];
  const factor = MINUTES[unit];
  return count === undefined || factor === undefined ? undefined : Number(count) * factor;
}

/** What was drawn is the ceiling, also for who switches limits off; where nothing was drawn there is a default. */
function rate(drawn: number | undefined, set: number | undefined, usual: number): number {
  if (set === undefined) return drawn ?? usual;
  if (set === 0) return drawn ?? 0;
  return Math.min(set, drawn ?? set);
}

/** What one caller may do with one tool. */
interface Shares {
  readonly perTool: Omit<Bucket, "key">;
  /** `scope` tells apart what callers share for reads, for writes, and for sessions of a drawn rate. */
  readonly perCaller: Omit<Bucket, "key"> & { readonly scope: string };
  readonly forAll: Omit<Bucket, "key">;
}

function share(perMinute: number, burst: number): Omit<Bucket, "key"> {
  return { perMinute, burst: Math.max(1, Math.min(burst, perMinute)) };
}

function sharesOf(entry: ToolEntry, settings: RateSettings): Shares {
  const { limits } = entry.allowed ?? {};
  const kind = entry.writes ? "write" : "read";
  const usual = entry.writes ? WRITE_PER_MINUTE : READ_PER_MINUTE;
  const set = settings[kind];
  const session = drawnRate(limits?.perSession);
  const scope = session === undefined ? kind : `session ${limits?.perSession}`;
  const all = session === undefined && set !== undefined ? set * TOOLS_AT_ONCE : undefined;
  const forAll = settings.global ?? GLOBAL_PER_MINUTE;
  return {
    perTool: share(rate(drawnRate(limits?.perTool), set, usual), settings.burst),
    perCaller: { ...share(rate(session, all, usual * TOOLS_AT_ONCE), settings.burst * TOOLS_AT_ONCE), scope },
    forAll: share(forAll, forAll),
  };
}

/** What one call draws from: the caller's share of the tool, the caller's of everything, and everybody's. */
export function bucketsFor(
  settings: RateSettings,
): (principal: Principal, entry: ToolEntry) => readonly Bucket[] {
  const known = new WeakMap<ToolEntry, Shares>();
  return ({ id }, entry) => {
    const shares = known.get(entry) ?? sharesOf(entry, settings);
    known.set(entry, shares);
    const { perTool, perCaller, forAll } = shares;
    const buckets = [
      { key: `${id} ${entry.tool.name}`, ...perTool },
      { key: `${id} * ${perCaller.scope}`, perMinute: perCaller.perMinute, burst: perCaller.burst },
      { key: "*", ...forAll },
    ];
    return buckets.filter(({ perMinute }) => perMinute > 0);
  };
}

interface Level {
  tokens: number;
  at: number;
}

/** Fractions of tokens do not add up exactly. */
const ROUNDING = 1e-6;
/** More buckets than callers and tools that are in use at once. */
const MOST_BUCKETS = 20_000;

/** Buckets of this process alone. */
export function memoryRates(now: () => number = () => performance.now()): RateStore {
  const levels = new Map<string, Level>();
  const levelOf = ({ key, perMinute, burst }: Bucket, at: number): Level => {
    const known = levels.get(key) ?? { tokens: burst, at };
    const tokens = Math.min(burst, known.tokens + ((at - known.at) * perMinute) / 60_000);
    return { tokens, at };
  };
  return {
    take: async (buckets) => {
      const at = now();
      const filled = buckets.map((bucket) => ({ bucket, level: levelOf(bucket, at) }));
      const waits = filled.map(({ bucket, level }) =>
        level.tokens >= 1 - ROUNDING
          ? 0
          : Math.ceil(((1 - level.tokens) * 60_000) / bucket.perMinute - ROUNDING),
      );
      const wait = Math.max(0, ...waits);
      if (wait > 0) return wait;
      for (const { bucket, level } of filled) {
        levels.delete(bucket.key);
        levels.set(bucket.key, { ...level, tokens: level.tokens - 1 });
      }
      // The bucket that was longest unused goes first: it is the fullest.
      for (const key of levels.keys()) {
        if (levels.size <= MOST_BUCKETS) break;
        levels.delete(key);
      }
      return 0;
    },
  };
}
