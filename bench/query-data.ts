import type {
  ComponentData,
  LinkData,
  SubComponentData,
  TopologyData,
} from "#runtime/stack-agent/topology-data";

const TYPES = 15;
const NAMESPACES = 40;

function subsOf(index: number): readonly SubComponentData[] {
  return [0, 1].map((at) => ({
    name: `db_${index}_${at}`,
    kind: "database",
    section: "databases",
    attributes: { database: `db_${index}_${at}`, username: at === 0 ? `user_${index}` : null },
    // With a password and no user of its own it would be its own user.
    secrets: at === 0 ? ["password"] : [],
  }));
}

const nameOf = (index: number): string => `component-${String(index).padStart(7, "0")}`;

function componentOf(index: number): ComponentData {
  const name = nameOf(index);
  const namespace = `ns-${index % NAMESPACES}`;
  return {
    name,
    type: `type-${index % TYPES}`,
    namespace,
    group: `group-${index % 7}`,
    host: `${name}.${namespace}.svc.cluster.local`,
    port: 1_000 + (index % 9_000),
    external: null,
    builtin: false,
    attributes: { replicas: index % 5, tls: index % 2 === 0 },
    config: {},
    secrets: ["password"],
    subs: index % TYPES === 0 ? subsOf(index) : [],
  };
}

/** To a neighbour, and to one far away; the same every time. */
function linksOf(index: number, count: number): readonly LinkData[] {
  return [(index + 1) % count, (index * 7 + 3) % count].map((to, at) => ({
    id: `${nameOf(index)}->${nameOf(to)}#${at}`,
    type: "type-a-type-b",
    name: `${nameOf(index)}-${nameOf(to)}`,
    from: { component: nameOf(index), sub: null },
    to: { component: nameOf(to), sub: null },
    access: "readwrite",
    attributes: {},
  }));
}

/** A drawing of `count` components with two links each, as `topology.json` would hold it. */
export function manyComponentsData(count: number): TopologyData {
  const all = Array.from({ length: count }, (_, index) => index);
  return {
    stack: "many",
    environment: null,
    description: null,
    owner: null,
    domain: null,
    clusterDomain: "cluster.local",
    components: all.map(componentOf),
    links: all.flatMap((index) => linksOf(index, count)),
    reach: [],
    documents: [],
  };
}
