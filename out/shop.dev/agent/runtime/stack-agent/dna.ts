import { dataFlows, dataPaths } from "./data-flow.ts";
import type { DataFlow } from "./data-flow.ts";
import type { AttributeTable, DocumentData, LinkData, ReachData } from "./topology-data.ts";
import { placeOf } from "./topology-index.ts";
import type { Node, TopologyIndex } from "./topology-index.ts";

interface DnaSubComponent {
  readonly name: string;
  readonly kind: string;
  readonly attributes: AttributeTable;
  readonly secret_names: readonly string[];
}

interface DnaComponent {
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly group: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly is_external: boolean;
  readonly attributes: AttributeTable;
  readonly config: AttributeTable;
  readonly secret_names: readonly string[];
  readonly sub_components: readonly DnaSubComponent[];
}

interface DnaLink {
  readonly id: string;
  readonly link: string;
  readonly type: string;
  readonly from: string;
  readonly via?: string;
  readonly to: string;
  readonly sub?: string;
  readonly access?: string;
  readonly attributes: AttributeTable;
}

/** The whole system in one read. */
export interface StackDna {
  readonly stack: string;
  readonly environment: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  /** What was left out because the stack is too large for one read; `null` when nothing was. */
  readonly left_out: { readonly components: number; readonly links: number; readonly hint: string } | null;
  readonly components: readonly DnaComponent[];
  readonly links: readonly DnaLink[];
  readonly data_flows: readonly DataFlow[];
  readonly data_paths: readonly string[];
  readonly ai_reach: readonly ReachData[];
  /** OpenAPI documents, by the component that they were drawn for. */
  readonly documents: readonly DocumentData[];
}

/** So many fit into one read, with the documents of an ordinary stack. */
const MAX_COMPONENTS = 300;
const MAX_LINKS = 600;

function withoutNulls(table: AttributeTable): AttributeTable {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== null));
}

function componentOf({ component }: Node): DnaComponent {
  const { name, type, namespace, group, host, port, external, attributes, config, secrets, subs } = component;
  return {
    name,
    type,
    namespace,
    group,
    host,
    port,
    is_external: external !== null,
    attributes: withoutNulls(attributes),
    config: withoutNulls(config),
    secret_names: secrets,
    sub_components: subs.map((sub) => ({
      name: sub.name,
      kind: sub.kind,
      attributes: withoutNulls(sub.attributes),
      secret_names: sub.secrets,
    })),
  };
}

function linkOf(index: TopologyIndex, link: LinkData): DnaLink {
  const via = placeOf(index, link.from).sub?.name;
  const sub = placeOf(index, link.to).sub?.name;
  return {
    id: link.id,
    link: link.name,
    type: link.type,
    from: link.from.component,
    ...(via === undefined ? {} : { via }),
    to: link.to.component,
    ...(sub === undefined ? {} : { sub }),
    ...(link.access === null ? {} : { access: link.access }),
    attributes: withoutNulls(link.attributes),
  };
}

/** Components, sub-components, links, data flows, what AI reaches, and the OpenAPI documents of services. */
export function stackDna(index: TopologyIndex): StackDna {
  const { data, nodes } = index;
  const components = Math.max(0, nodes.length - MAX_COMPONENTS);
  const links = Math.max(0, data.links.length - MAX_LINKS);
  const flows = dataFlows(index);
  return {
    stack: data.stack,
    environment: data.environment ?? "base",
    description: data.description,
    owner: data.owner,
    domain: data.domain,
    left_out:
      components + links === 0
        ? null
        : { components, links, hint: "read the rest page by page with query_topology and its cursor" },
    components: nodes.slice(0, MAX_COMPONENTS).map(componentOf),
    links: data.links.slice(0, MAX_LINKS).map((link) => linkOf(index, link)),
    data_flows: flows.slice(0, MAX_LINKS),
    data_paths: dataPaths(flows),
    ai_reach: data.reach,
    documents: data.documents,
  };
}
