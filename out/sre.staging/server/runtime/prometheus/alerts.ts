import { cutText, recordOf } from "#runtime/json-shape";
import { labelsOf } from "#runtime/prometheus/api";
import type { Labels } from "#runtime/prometheus/api";

const MAX_SUMMARY = 300;

export interface Alert {
  readonly name: string;
  readonly state: string;
  readonly labels: Labels;
  readonly since: string;
  readonly value: string;
  readonly summary: string;
}

export function alertOf(value: unknown): Alert {
  const { labels, annotations, state, activeAt, value: measured } = recordOf(value);
  const notes = recordOf(annotations ?? {});
  return {
    name: cutText(recordOf(labels)["alertname"], MAX_SUMMARY),
    state: cutText(state, MAX_SUMMARY),
    labels: labelsOf(labels),
    since: cutText(activeAt, MAX_SUMMARY),
    value: cutText(measured, MAX_SUMMARY),
    summary: cutText(notes["summary"] ?? notes["description"] ?? notes["message"], MAX_SUMMARY),
  };
}

/** Firing before pending, then by name, then the oldest: the same order for every page. */
export function compareAlerts(a: Alert, b: Alert): number {
  const key = (alert: Alert): string =>
    [alert.state, alert.name, alert.since, JSON.stringify(alert.labels)].join("\u0000");
  return key(a) < key(b) ? -1 : 1;
}

/** One group for each name and state; the name is not repeated in the labels. */
export function groupByAlert(alerts: readonly Alert[]): readonly object[] {
  const groups = new Map<string, { alert: string; state: string; alerts: object[] }>();
  for (const { name, state, labels, ...rest } of alerts) {
    const { alertname: _, ...others } = labels;
    const key = `${state} ${name}`;
    const group = groups.get(key) ?? { alert: name, state, alerts: [] };
    group.alerts.push({ labels: others, ...rest });
    groups.set(key, group);
  }
  return [...groups.values()];
}
