import { entryOf, refuse } from "#runtime/call/call";
import type { Stage } from "#runtime/call/call";
import { bucketsFor } from "#runtime/policy/rate-limits";
import type { RateSettings, RateStore } from "#runtime/policy/rate-limits";

/** Comes after every refusal that costs nothing, so that a caller who may not do something loses no share by it. */
export function limitRate(rates: RateStore, settings: RateSettings): Stage {
  const bucketsOf = bucketsFor(settings);
  return async (call, next) => {
    const entry = entryOf(call);
    const wait =
      call.principal === undefined || call.intent === "execute"
        ? 0
        : await rates.take(bucketsOf(call.principal, entry));
    if (wait === 0) return await next(call);
    return refuse({
      code: "rate_limited",
      message: `too many calls of ${entry.tool.name}; nothing was executed`,
      hint: `call again in ${Math.ceil(wait / 1_000)} seconds`,
      retry_after_ms: wait,
    });
  };
}
