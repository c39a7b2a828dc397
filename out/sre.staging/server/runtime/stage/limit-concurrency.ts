import { entryOf, fail, refuse } from "#runtime/call/call";
import type { Outcome, Stage } from "#runtime/call/call";

const PARALLEL = 4;
const QUEUE = 16;

/** The calls of one link: `running` hold a place, `waiting` are given one in the order in which they came. */
interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

/** Resolves to false when the signal aborts first. */
async function waitForPlace(lane: Lane, signal: AbortSignal): Promise<boolean> {
  return await new Promise((resolve) => {
    const enter = (): void => {
      signal.removeEventListener("abort", leave);
      resolve(true);
    };
    const leave = (): void => {
      lane.waiting.splice(lane.waiting.indexOf(enter), 1);
      resolve(false);
    };
    signal.addEventListener("abort", leave, { once: true });
    lane.waiting.push(enter);
  });
}

/** Hands the place to the next in the queue, or gives it up. */
function leavePlace(lane: Lane): void {
  const next = lane.waiting.shift();
  if (next === undefined) lane.running -= 1;
  else next();
}

async function takePlace(lane: Lane, signal: AbortSignal): Promise<Outcome | undefined> {
  if (lane.running < PARALLEL) {
    lane.running += 1;
    return undefined;
  }
  if (lane.waiting.length >= QUEUE) {
    const message = `${PARALLEL} calls to this service are running and ${QUEUE} are waiting`;
    return refuse({ code: "busy", message, hint: "call again in a few seconds" });
  }
  if (!signal.aborted && (await waitForPlace(lane, signal))) return undefined;
  return fail({ code: "cancelled", message: "the call was cancelled before it started" });
}

/** Bounds what one link's service has to bear, also by handlers that ignore their signal. */
export function limitConcurrency(): Stage {
  const lanes = new Map<string, Lane>();
  return async (call, next) => {
    const { link } = entryOf(call);
    const lane = lanes.get(link.id) ?? { running: 0, waiting: [] };
    lanes.set(link.id, lane);
    const turnedAway = await takePlace(lane, call.signal);
    if (turnedAway !== undefined) return turnedAway;
    let stillRunning: Promise<unknown> | undefined;
    try {
      const outcome = await next(call);
      if (outcome.kind === "fault") stillRunning = outcome.stillRunning;
      return outcome;
    } finally {
      if (stillRunning === undefined) leavePlace(lane);
      else void stillRunning.finally(() => leavePlace(lane));
    }
  };
}
