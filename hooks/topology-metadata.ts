import { defineHook } from "#hook";
import type { LinkModule, Topology } from "#hook";

type Component = Topology["components"][number];
type SubComponent = Component["subs"][number];
type Attributes = Component["attributes"];
type Link = Topology["links"][number];

export interface SubComponentMetadata {
  readonly name: string;
  readonly kind: string;
  readonly section: string;
  readonly attributes: Attributes;
  /** Names only. */
  readonly secrets: readonly string[];
}

export interface ComponentMetadata {
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly group: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly external: { readonly stack: string; readonly component: string } | null;
  readonly builtin: boolean;
  readonly attributes: Attributes;
  readonly config: Attributes;
  /** Names only. */
  readonly secrets: readonly string[];
  readonly subs: readonly SubComponentMetadata[];
}

export interface EndMetadata {
  readonly component: string;
  /** Position in the component's `subs`. */
  readonly sub: number | null;
}

export interface LinkMetadata {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly from: EndMetadata;
  readonly to: EndMetadata;
  readonly access: string | null;
  readonly attributes: Attributes;
}

/** What one `mcp` link lets AI reach. */
export interface ReachMetadata {
  readonly component: string;
  readonly access: string;
  readonly narrowed: boolean;
  readonly targets: readonly { readonly name: string; readonly kind: string; readonly access: string }[];
  readonly tools: readonly string[];
}

export interface DocumentMetadata {
  readonly component: string;
  readonly attribute: string;
  readonly document: unknown;
}

/** The content of `topology.json`. */
export interface TopologyData {
  readonly stack: string;
  readonly environment: string | null;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  readonly clusterDomain: string;
  readonly components: readonly ComponentMetadata[];
  readonly links: readonly LinkMetadata[];
  readonly reach: readonly ReachMetadata[];
  readonly documents: readonly DocumentMetadata[];
}

function subMetadata({ name, kind, section, attributes, secrets }: SubComponent): SubComponentMetadata {
  return { name, kind, section, attributes, secrets: Object.keys(secrets).sort() };
}

function componentMetadata(component: Component): ComponentMetadata {
  const { name, type, namespace, group, host, port, external, builtin, attributes, config } = component;
  return {
    name,
    type,
    namespace,
    group,
    host,
    port,
    external,
    builtin,
    attributes,
    config,
    secrets: Object.keys(component.secrets).sort(),
    subs: component.subs.map(subMetadata),
  };
}

function endMetadata({ component, sub }: Link["from"]): EndMetadata {
  if (sub === null) return { component: component.name, sub: null };
  return {
    component: component.name,
    sub: component.subs.findIndex(({ name, kind }) => name === sub.name && kind === sub.kind),
  };
}

/** A link that is narrowed target by target has no word of its own; its widest one stands for it. */
function linkMetadata(link: Link, widest: ReadonlyMap<string, string>): LinkMetadata {
  const { id, type, name, from, to, attributes } = link;
  const access = link.access ?? widest.get(id) ?? null;
  return { id, type, name, from: endMetadata(from), to: endMetadata(to), access, attributes };
}

function reachMetadata({ link, tools }: LinkModule): ReachMetadata {
  return {
    component: link.component.name,
    access: link.access,
    narrowed: link.narrowed,
    targets: link.targets.map(({ sub, access }) => ({ name: sub.name, kind: sub.kind, access })),
    tools: tools.map(({ name }) => name).sort(),
  };
}

/**
 * The drawing as the stack agent reads it: every component, sub-component, link and attribute, and what AI
 * reaches. Of secrets it holds the names; neither values nor where they come from.
 */
export default defineHook({
  name: "topology-metadata",
  derive: (topology, _facts, generation): TopologyData => {
    const widest = new Map(topology.mcpLinks.map(({ id, access }) => [id, access]));
    return {
      stack: topology.stack,
      environment: topology.environment,
      description: topology.description,
      owner: topology.owner,
      domain: topology.domain,
      clusterDomain: topology.clusterDomain,
      components: topology.components.map(componentMetadata),
      links: topology.links.map((link) => linkMetadata(link, widest)),
      reach: generation.links.map(reachMetadata),
      documents: topology.documents.map(({ component, attribute, content }) => ({
        component,
        attribute,
        document: content,
      })),
    };
  },
});
