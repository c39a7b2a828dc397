/** The drawing as `topology.json` holds it: everything that was drawn, and no value of a secret. */

export type Scalar = string | number | boolean;
export type AttributeValue = Scalar | readonly Scalar[] | null;
export type AttributeTable = Readonly<Record<string, AttributeValue>>;

export interface SubComponentData {
  readonly name: string;
  readonly kind: string;
  readonly section: string;
  readonly attributes: AttributeTable;
  /** Names of secret attributes; a command may use them as variables. */
  readonly secrets: readonly string[];
}

export interface ComponentData {
  readonly name: string;
  readonly type: string;
  /** Empty for an external component that is not known to be in this cluster. */
  readonly namespace: string;
  readonly group: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly external: { readonly stack: string; readonly component: string } | null;
  readonly builtin: boolean;
  readonly attributes: AttributeTable;
  readonly config: AttributeTable;
  /** Names of secret attributes; a command may use them as variables. */
  readonly secrets: readonly string[];
  readonly subs: readonly SubComponentData[];
}

export interface EndData {
  readonly component: string;
  /** Position in the component's `subs`; names alone may repeat between kinds. */
  readonly sub: number | null;
}

export interface LinkData {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly from: EndData;
  readonly to: EndData;
  readonly access: string | null;
  readonly attributes: AttributeTable;
}

/** What one link of the MCP server lets AI reach. */
export interface ReachData {
  readonly component: string;
  readonly access: string;
  /** True when the link reaches `targets` and nothing else of the component. */
  readonly narrowed: boolean;
  readonly targets: readonly { readonly name: string; readonly kind: string; readonly access: string }[];
  /** Names of the tools that the link gives. */
  readonly tools: readonly string[];
}

/** A document that was drawn for a component, such as the OpenAPI description of a service. */
export interface DocumentData {
  readonly component: string;
  readonly attribute: string;
  readonly document: unknown;
}

export interface TopologyData {
  readonly stack: string;
  readonly environment: string | null;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  readonly clusterDomain: string;
  /** Sorted by name. */
  readonly components: readonly ComponentData[];
  /** Sorted by id. */
  readonly links: readonly LinkData[];
  /** Sorted by component. */
  readonly reach: readonly ReachData[];
  /** Sorted by component, then attribute. */
  readonly documents: readonly DocumentData[];
}

/** What a drawing may have thousands of. */
export const TOPOLOGY_SECTIONS = ["components", "links", "reach", "documents"] as const;
export type TopologySection = (typeof TOPOLOGY_SECTIONS)[number];
