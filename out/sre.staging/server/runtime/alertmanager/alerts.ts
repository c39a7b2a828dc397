import { labelsOf } from "#runtime/alertmanager/api";
import type { Labels } from "#runtime/alertmanager/api";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_TEXT = 300;
const MAX_REFERENCES = 10;
/** Alerts shown of one group. */
export const MAX_IN_GROUP = 10;

export interface Alert {
  readonly state: "active" | "silenced" | "inhibited" | "unprocessed";
  readonly labels: Labels;
  readonly since: string;
  readonly summary: string;
  readonly receivers: readonly string[];
  /** Ids of silences. */
  readonly silenced_by: readonly string[];
  /** How many alerts suppress this one. */
  readonly inhibited_by: number;
}

function stateOf(state: unknown, silenced: number, inhibited: number): Alert["state"] {
  if (silenced > 0) return "silenced";
  if (inhibited > 0) return "inhibited";
  return state === "active" ? "active" : "unprocessed";
}

/** An alert without the address of whoever sent it. */
export function alertOf(value: unknown): Alert {
  const { labels, annotations, startsAt, receivers, status } = recordOf(value);
  const { state, silencedBy, inhibitedBy } = recordOf(status);
  const notes = recordOf(annotations ?? {});
  const silences = listOf(silencedBy ?? []);
  const inhibited = listOf(inhibitedBy ?? []).length;
  return {
    state: stateOf(state, silences.length, inhibited),
    labels: labelsOf(labels),
    since: cutText(startsAt, 40),
    summary: cutText(notes["summary"] ?? notes["description"] ?? notes["message"], MAX_TEXT),
    receivers: listOf(receivers ?? [])
      .slice(0, MAX_REFERENCES)
      .map((receiver) => cutText(recordOf(receiver)["name"], MAX_TEXT)),
    silenced_by: silences.slice(0, MAX_REFERENCES).map((id) => cutText(id, 40)),
    inhibited_by: inhibited,
  };
}

/** The newest first, in the same order for every page. */
export function newestFirst(alerts: readonly Alert[]): readonly Alert[] {
  const keyed = alerts.map((alert) => ({ alert, key: JSON.stringify(alert.labels) }));
  return keyed
    .sort((a, b) => {
      if (a.alert.since !== b.alert.since) return a.alert.since < b.alert.since ? 1 : -1;
      return a.key < b.key ? -1 : 1;
    })
    .map(({ alert }) => alert);
}

/** How many of each state, and the newest of them without the labels that all share. */
export function groupOf(value: unknown): object {
  const { labels, receiver, alerts } = recordOf(value);
  const shared = labelsOf(labels);
  const all = newestFirst(listOf(alerts).map(alertOf));
  const count = (state: Alert["state"]): number => all.filter((alert) => alert.state === state).length;
  return {
    group: shared,
    receiver: cutText(recordOf(receiver)["name"], MAX_TEXT),
    active: count("active"),
    silenced: count("silenced"),
    inhibited: count("inhibited"),
    alerts: all.slice(0, MAX_IN_GROUP).map(({ labels: own, state, since, summary }) => ({
      labels: Object.fromEntries(Object.entries(own).filter(([name]) => !Object.hasOwn(shared, name))),
      state,
      since,
      summary,
    })),
  };
}
