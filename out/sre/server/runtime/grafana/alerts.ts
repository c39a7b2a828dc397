import { cutText, listOf, recordOf } from "#runtime/json-shape";

/** Of each rule; its totals count the others. */
export const MAX_INSTANCES = 5;
const MAX_LABELS = 20;
const MAX_TEXT = 300;

/** The most urgent first. */
export const STATES = ["firing", "error", "nodata", "pending"] as const;
export type State = (typeof STATES)[number];

type Labels = Readonly<Record<string, string>>;

export interface RuleAlerts {
  readonly rule: string;
  readonly folder: string;
  readonly group: string;
  readonly state: State;
  readonly summary: string;
  readonly last_error: string;
  readonly labels: Labels;
  readonly totals: Readonly<Record<string, number>>;
  readonly instances: readonly object[];
}

/** Words of Grafana's alerts, without the reason that may stand behind them: "Normal (Error)". */
function stateOf(word: unknown): State | undefined {
  const [name] = String(word).toLowerCase().split(" ");
  if (name === "alerting" || name === "firing" || name === "recovering") return "firing";
  return STATES.find((state) => state === name);
}

function labelsOf(value: unknown): Labels {
  const entries = Object.entries(recordOf(value ?? {})).filter(([name]) => !name.startsWith("__"));
  return Object.fromEntries(
    entries.slice(0, MAX_LABELS).map(([name, text]) => [cutText(name, MAX_TEXT), cutText(text, MAX_TEXT)]),
  );
}

function totalsOf(totals: unknown, alerts: readonly unknown[]): Readonly<Record<string, number>> {
  if (totals !== undefined && totals !== null) {
    const counted = Object.entries(recordOf(totals)).slice(0, MAX_LABELS);
    return Object.fromEntries(counted.map(([name, count]) => [cutText(name, 20), Number(count)]));
  }
  const counts = new Map<string, number>();
  for (const alert of alerts) {
    const state = cutText(recordOf(alert)["state"], 20).toLowerCase();
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

function instanceOf(value: unknown): object {
  const { labels, state, activeAt, value: measured } = recordOf(value);
  return {
    labels: labelsOf(labels),
    state: cutText(state, 40),
    since: cutText(activeAt, 40),
    value: cutText(measured, MAX_TEXT),
  };
}

/** What a rule says now, or `undefined` for one that has nothing to say, or not what is wanted. */
function ruleOf(
  value: unknown,
  { folder, group, wanted }: { folder: string; group: string; wanted: State | undefined },
): RuleAlerts | undefined {
  const rule = recordOf(value);
  const alerts = listOf(rule["alerts"] ?? []);
  const speaking = alerts.filter((alert) => stateOf(recordOf(alert)["state"]) !== undefined);
  const words = [rule["state"], rule["health"], ...speaking.map((alert) => recordOf(alert)["state"])];
  const found = new Set(words.map(stateOf));
  const state = STATES.find((each) => found.has(each));
  if (state === undefined || (wanted !== undefined && !found.has(wanted))) return undefined;
  const notes = recordOf(rule["annotations"] ?? {});
  return {
    rule: cutText(rule["name"], MAX_TEXT),
    folder,
    group,
    state,
    summary: cutText(notes["summary"] ?? notes["description"], MAX_TEXT),
    last_error: cutText(rule["lastError"], MAX_TEXT),
    labels: labelsOf(rule["labels"]),
    totals: totalsOf(rule["totals"], alerts),
    instances: speaking.slice(0, MAX_INSTANCES).map(instanceOf),
  };
}

/** The rules that speak, the most urgent first and then by name; `folder` is a folder's title or uid. */
export function alertsOf(data: unknown, wanted: { state?: State; folder?: string }): readonly RuleAlerts[] {
  const rank = ({ state, folder, group, rule }: RuleAlerts): string =>
    [STATES.indexOf(state), folder, group, rule].join("\u0000");
  return listOf(recordOf(data)["groups"])
    .flatMap((each) => {
      const { name, file, folderUid, rules } = recordOf(each);
      if (wanted.folder !== undefined && wanted.folder !== file && wanted.folder !== folderUid) return [];
      const [folder, group] = [cutText(file, MAX_TEXT), cutText(name, MAX_TEXT)];
      return listOf(rules).map((rule) => ruleOf(rule, { folder, group, wanted: wanted.state }));
    })
    .filter((rule) => rule !== undefined)
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
