import { cutText, recordOf } from "#runtime/json-shape";
import { EVENTS, listObjects, pathOf } from "#runtime/kubernetes/api";
import type { Access, Json } from "#runtime/kubernetes/api";
import { scan, scanDeadline } from "#runtime/kubernetes/scan";
import type { Scan } from "#runtime/kubernetes/scan";

const MAX_NAME = 253;
const MAX_MESSAGE = 500;

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  /** `Pod/web-0`. */
  readonly involved_object: string;
  readonly count: number;
  readonly last_timestamp: string;
}

/** Old clients write `lastTimestamp` and `count`, newer ones `series` or `eventTime`. */
function eventOf(item: Json): Event {
  const involved = recordOf(item["involvedObject"] ?? {});
  const series = recordOf(item["series"] ?? {});
  const { creationTimestamp } = recordOf(item["metadata"] ?? {});
  const seen = series["lastObservedTime"] ?? item["lastTimestamp"] ?? item["eventTime"] ?? creationTimestamp;
  return {
    type: cutText(item["type"], MAX_NAME),
    reason: cutText(item["reason"], MAX_NAME),
    message: cutText(item["message"], MAX_MESSAGE),
    involved_object: `${cutText(involved["kind"], MAX_NAME)}/${cutText(involved["name"], MAX_NAME)}`,
    count: Number(series["count"] ?? item["count"] ?? 1),
    last_timestamp: cutText(seen, 64),
  };
}

const identityOf = ({ type, reason, message, involved_object }: Event): string =>
  JSON.stringify([type, reason, message, involved_object]);

/** The same thing said about the same object is one event that happened several times. */
function withoutRepeats(events: readonly Event[]): readonly Event[] {
  const merged = new Map<string, Event>();
  for (const event of events) {
    const key = identityOf(event);
    const other = merged.get(key);
    if (other === undefined) merged.set(key, event);
    else {
      const latest = other.last_timestamp > event.last_timestamp ? other : event;
      merged.set(key, { ...latest, count: other.count + event.count });
    }
  }
  return [...merged.values()];
}

function newestFirst(a: Event, b: Event): number {
  if (a.last_timestamp !== b.last_timestamp) return a.last_timestamp > b.last_timestamp ? -1 : 1;
  return identityOf(a) < identityOf(b) ? -1 : 1;
}

export interface EventSearch {
  readonly type: string | undefined;
  /** Name of the object. */
  readonly involved: string | undefined;
  /** Unix seconds. */
  readonly since: number;
}

/** Events of a namespace, newest first. The server cannot sort them, so all are read before one is shown. */
export async function recentEvents(
  access: Access,
  namespace: string,
  { type, involved, since }: EventSearch,
): Promise<Pick<Scan, "stopped"> & { readonly events: readonly Event[] }> {
  const selected = [
    ...(type === undefined ? [] : [`type=${type}`]),
    ...(involved === undefined ? [] : [`involvedObject.name=${involved}`]),
  ];
  const fieldSelector = selected.length === 0 ? undefined : selected.join(",");
  const { items, stopped } = await scan(
    (query) => listObjects(access, pathOf(EVENTS, namespace), { ...query, fieldSelector }),
    scanDeadline(),
  );
  const recent = items
    .map(eventOf)
    .filter(({ last_timestamp }) => !(Date.parse(last_timestamp) / 1000 < since));
  return { events: [...withoutRepeats(recent)].sort(newestFirst), stopped };
}
