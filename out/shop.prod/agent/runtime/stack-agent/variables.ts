import type { AttributeTable, AttributeValue, LinkData } from "./topology-data.ts";
import type { Place, TopologyIndex } from "./topology-index.ts";

/** One thing a query found. `near` is on the side of the query's source; links also have a far end. */
export interface Row {
  readonly index: TopologyIndex;
  readonly near: Place;
  readonly link: LinkData | null;
  readonly far: Place | null;
}

/** Stands where a secret would: the data holds the names of secrets only. */
export const SECRET: unique symbol = Symbol("secret");

/** `undefined` for a name that means nothing here, or nothing has been drawn for. */
export type VariableValue = Exclude<AttributeValue, null> | typeof SECRET | undefined;

export const LINKED = "linked_";

type Reader = (row: Row) => AttributeValue | undefined;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["name", (row) => row.near.node.component.name],
  ["type", (row) => row.near.node.component.type],
  ["namespace", (row) => row.near.node.component.namespace],
  ["group", (row) => row.near.node.component.group],
  ["is_external", (row) => row.near.node.component.external !== null],
  ["sub_name", (row) => row.near.sub?.name],
  ["kind", (row) => row.near.sub?.kind],
  ["stack", (row) => row.index.data.stack],
  ["env", (row) => row.index.data.environment ?? "base"],
  ["domain", (row) => row.index.data.domain],
  ["cluster_domain", (row) => row.index.data.clusterDomain],
  ["link_name", (row) => row.link?.name],
  ["link_type", (row) => row.link?.type],
  ["link_id", (row) => row.link?.id],
  ["access", (row) => row.link?.access],
  ["subdomain", (row) => row.link && (own(row.link.attributes, "subdomain") ?? row.link.to.component)],
]);

/** The variables that every stack has; attributes and `config` of the drawing come on top. */
export const FIXED_VARIABLES: readonly string[] = [...READERS.keys(), "host", "port", "username"];

function own(table: AttributeTable, name: string): AttributeValue | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function ofSubComponent(place: Place, name: string): AttributeValue | typeof SECRET | undefined {
  const { sub } = place;
  if (sub === null) return undefined;
  if (sub.secrets.includes(name)) return SECRET;
  const written = own(sub.attributes, name);
  if (written !== undefined && written !== null) return written;
  const namesItself = name === sub.kind || (name === "username" && sub.secrets.includes("password"));
  return namesItself ? sub.name : undefined;
}

function ofComponent(place: Place, name: string): AttributeValue | typeof SECRET | undefined {
  const { component } = place.node;
  if (name === "host") return component.host;
  if (name === "port") return component.port;
  if (component.secrets.includes(name)) return SECRET;
  return own(component.attributes, name) ?? own(component.config, name);
}

/** An empty text is what an external component has for a namespace that nobody drew. */
function drawn(value: AttributeValue | typeof SECRET | undefined): VariableValue {
  return value === null || value === "" ? undefined : value;
}

/**
 * How `{name}` is read from a row: first what says who the row is about, then the link's attributes, the
 * sub-component's, the component's. `linked_...` asks the same of the other end.
 */
export function variableReader(name: string): (row: Row) => VariableValue {
  const fixed = READERS.get(name);
  if (fixed !== undefined) return (row) => drawn(fixed(row));
  const written = (row: Row): VariableValue => {
    const ofLink = row.link === null ? undefined : own(row.link.attributes, name);
    return drawn(ofLink ?? ofSubComponent(row.near, name) ?? ofComponent(row.near, name));
  };
  if (!name.startsWith(LINKED)) return written;
  const ofOther = variableReader(name.slice(LINKED.length));
  return (row) =>
    row.far === null ? written(row) : ofOther({ index: row.index, near: row.far, link: null, far: null });
}

/** The value of `{name}` for one row. */
export function variableOf(row: Row, name: string): VariableValue {
  return variableReader(name)(row);
}
