import { ToolFault } from "#runtime/fault";
import type { Reach } from "./reach.ts";
import { hintFor } from "./suggest.ts";
import type { Node, TopologyIndex } from "./topology-index.ts";

/** How far AI may go, and with which tools; `null` where no link leads. */
export interface ProfileAccess {
  readonly access: string;
  /** Access by sub-component; empty when the link reaches the component as a whole. */
  readonly targets: Readonly<Record<string, string>>;
  readonly tools: readonly string[];
}

export interface ProfileComponent {
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  readonly is_external: boolean;
  readonly ai: ProfileAccess | null;
}

export interface ProfileCategory {
  readonly category: string;
  readonly components: readonly ProfileComponent[];
}

export interface EnvironmentProfile {
  readonly stack: string;
  readonly environment: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly domain: string | null;
  readonly categories: readonly ProfileCategory[];
}

function accessOf(reach: Reach, name: string): ProfileAccess | null {
  const entry = reach.get(name);
  if (entry === undefined) return null;
  return {
    access: entry.access,
    targets: Object.fromEntries(entry.targets.map((target) => [target.name, target.access])),
    tools: entry.tools,
  };
}

function categoryOf(reach: Reach, category: string, nodes: readonly Node[]): ProfileCategory {
  const components = nodes.map(({ component }) => ({
    name: component.name,
    type: component.type,
    namespace: component.namespace,
    is_external: component.external !== null,
    ai: accessOf(reach, component.name),
  }));
  return { category, components };
}

/** What the stack consists of, by category (the components' groups), and how far AI reaches into it. */
export function environmentProfile(
  index: TopologyIndex,
  reach: Reach,
  category?: string,
): EnvironmentProfile {
  const known = [...index.byGroup.keys()].sort();
  if (category !== undefined && !index.byGroup.has(category)) {
    throw new ToolFault("invalid_argument", `no category "${category.slice(0, 80)}" in this stack`, {
      hint: hintFor(category, known),
    });
  }
  const { stack, environment, description, owner, domain } = index.data;
  return {
    stack,
    environment: environment ?? "base",
    description,
    owner,
    domain,
    categories: (category === undefined ? known : [category]).map((group) =>
      categoryOf(reach, group, index.byGroup.get(group) ?? []),
    ),
  };
}
