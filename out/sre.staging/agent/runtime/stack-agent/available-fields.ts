import { rowsOf } from "./rows.ts";
import { componentNamed } from "./source.ts";
import type { Scalar } from "./topology-data.ts";
import type { Place, TopologyIndex } from "./topology-index.ts";
import { FIXED_VARIABLES, LINKED, SECRET, variableOf } from "./variables.ts";
import type { Row } from "./variables.ts";

/** Variable to a value that it has on this component; secrets are `***`. */
export type Variables = Readonly<Record<string, Scalar>>;

export interface AvailableFields {
  readonly component: string;
  readonly variables: Variables;
  /** By kind: what a sub-component adds, with the values of the first that has them. */
  readonly sub_components: Readonly<Record<string, Variables>>;
  /** What a link adds, with the values of the first that has them. */
  readonly links_to: Variables;
  readonly links_from: Variables;
}

function namesAt(place: Place): readonly string[] {
  const { component } = place.node;
  const own = [...component.secrets, ...Object.keys(component.attributes), ...Object.keys(component.config)];
  const { sub } = place;
  return sub === null ? own : [...own, sub.kind, ...sub.secrets, ...Object.keys(sub.attributes)];
}

function namesOf(row: Row): readonly string[] {
  const near = [...FIXED_VARIABLES, ...namesAt(row.near)];
  if (row.link === null || row.far === null) return near;
  const far = [
    "name",
    "type",
    "namespace",
    "group",
    "host",
    "port",
    "is_external",
    "username",
    "sub_name",
    "kind",
  ];
  return [
    ...near,
    ...Object.keys(row.link.attributes),
    ...[...far, ...namesAt(row.far)].map((name) => LINKED + name),
  ];
}

/** The variables of all rows that `known` has not, each with the first value met. */
function variablesOf(rows: readonly Row[], known: Variables): Variables {
  const found = new Map<string, Scalar>();
  for (const row of rows) {
    for (const name of namesOf(row)) {
      if (Object.hasOwn(known, name) || found.has(name)) continue;
      const value = variableOf(row, name);
      if (value === SECRET) found.set(name, "***");
      else if (value !== undefined && typeof value !== "object") found.set(name, value);
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The variables that a command may use on a component, by what the query returns. */
export function availableFields(index: TopologyIndex, component: string): AvailableFields {
  const node = componentNamed(index, component);
  const variables = variablesOf(rowsOf(index, node, "component", false), {});
  const subs = rowsOf(index, node, "sub_components", false);
  const kinds = [...new Set(node.component.subs.map(({ kind }) => kind))];
  const ofKind = (kind: string): readonly Row[] => subs.filter((row) => row.near.sub?.kind === kind);
  return {
    component,
    variables,
    sub_components: Object.fromEntries(kinds.map((kind) => [kind, variablesOf(ofKind(kind), variables)])),
    links_to: variablesOf(rowsOf(index, node, "links_to", false), variables),
    links_from: variablesOf(rowsOf(index, node, "links_from", false), variables),
  };
}
