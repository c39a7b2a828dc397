import { ToolFault } from "#runtime/fault";
import { hintFor } from "./suggest.ts";
import type { AttributeValue, TopologyData } from "./topology-data.ts";
import { FIXED_VARIABLES, LINKED, SECRET, variableReader } from "./variables.ts";
import type { Row } from "./variables.ts";

export type FieldReader = (row: Row) => AttributeValue;

/** Readers of a sub-component are the application's components, not those that look after everything. */
const NO_CONSUMERS: ReadonlySet<string> = new Set(["fastmcp", "prometheus", "stack_agent"]);

function consumersOf(row: Row): AttributeValue {
  const { sub, node } = row.near;
  if (sub === null) return null;
  const consumers = new Set<string>();
  for (const { from, to } of node.in) {
    if (to.sub !== sub) continue;
    const { name, type } = from.node.component;
    if (!NO_CONSUMERS.has(type)) consumers.add(name);
  }
  return [...consumers];
}

/** The linked component for links, the sub-component for sub-components, else the component. */
export function labelOf(row: Row): string {
  if (row.far !== null) return row.far.node.component.name;
  return row.near.sub?.name ?? row.near.node.component.name;
}

/** What a row is called where that differs from the variable of the same name, and what only rows have. */
const ROW_FIELDS: ReadonlyMap<string, FieldReader> = new Map<string, FieldReader>([
  ["name", labelOf],
  ["source", (row) => row.near.node.component.name],
  ["component", (row) => (row.far ?? row.near).node.component.name],
  ["sub", (row) => (row.far === null ? row.near.sub : row.far.sub)?.name ?? null],
  ["via", (row) => (row.far === null ? null : (row.near.sub?.name ?? null))],
  ["link", (row) => row.link?.name ?? null],
  ["consumers", consumersOf],
]);

/** A variable as a field: `null` where it has no value, and never a secret. */
function variableField(name: string): FieldReader {
  const read = variableReader(name);
  return (row) => {
    const value = read(row);
    return value === undefined || value === SECRET ? null : value;
  };
}

/** Fields that need no look at the vocabulary. */
const FIXED: ReadonlySet<string> = new Set(FIXED_VARIABLES);

/** Every name that a query over this drawing may use. */
export interface Vocabulary {
  readonly fields: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/** Attributes that the rules of the stack file name, so that a query works on a stack that uses none of them. */
const OF_SUBS = ["database", "topic", "queue", "exchange", "bucket", "application", "client", "realm"];
const OF_LINKS = [
  "path",
  "auth",
  "rate_limit",
  "cors",
  "websocket",
  "schedule",
  "retention",
  "query",
  "protocol",
  "tls",
];

/** Reads the whole drawing once; called for the first field that is not one of the fixed ones. */
export function vocabularyOf(data: TopologyData): Vocabulary {
  const fields = new Set([...ROW_FIELDS.keys(), ...FIXED_VARIABLES, ...OF_SUBS, ...OF_LINKS]);
  const secrets = new Set<string>();
  const add = (to: Set<string>, names: Iterable<string>): void => {
    for (const name of names) to.add(name);
  };
  for (const component of data.components) {
    add(fields, Object.keys(component.attributes));
    add(fields, Object.keys(component.config));
    add(secrets, component.secrets);
    for (const sub of component.subs) {
      fields.add(sub.kind);
      add(fields, Object.keys(sub.attributes));
      add(secrets, sub.secrets);
    }
  }
  for (const link of data.links) add(fields, Object.keys(link.attributes));
  return { fields, secrets };
}

/** How `select` and `where` read a field. A secret and an unknown name are an `invalid_argument`. */
export function fieldReader(vocabulary: () => Vocabulary, field: string): FieldReader {
  const reader = ROW_FIELDS.get(field);
  if (reader !== undefined) return reader;
  if (FIXED.has(field)) return variableField(field);
  const plain = field.startsWith(LINKED) ? field.slice(LINKED.length) : field;
  const { fields, secrets } = vocabulary();
  if (secrets.has(plain)) {
    throw new ToolFault(
      "invalid_argument",
      `"${field}" is a secret: it is neither selected nor filtered on`,
      {
        hint: `use {${field}} in a command; it is shown as ***`,
      },
    );
  }
  if (!fields.has(plain)) {
    throw new ToolFault("invalid_argument", `unknown field "${field.slice(0, 80)}"`, {
      hint: hintFor(plain, [...fields].sort()),
    });
  }
  return variableField(field);
}
