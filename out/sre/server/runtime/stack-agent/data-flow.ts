import type { EndData, LinkData } from "./topology-data.ts";
import { MCP, placeOf } from "./topology-index.ts";
import type { TopologyIndex } from "./topology-index.ts";

/** Where the data of one link goes, seen from the end that opens the connection. */
export interface DataFlow {
  /** `kafka/orders`, or the component alone. */
  readonly from: string;
  readonly to: string;
  readonly direction: "to" | "from" | "both";
  /** The access word of the link, else its type. */
  readonly how: string;
}

const TO: ReadonlySet<string> = new Set(["produce", "publish", "write"]);
const FROM: ReadonlySet<string> = new Set(["consume", "read"]);
const MAX_PATHS = 100;
const MAX_STEPS = 8;

function directionOf(access: string | null): DataFlow["direction"] {
  if (access === null || TO.has(access)) return "to";
  return FROM.has(access) ? "from" : "both";
}

function endName(index: TopologyIndex, end: EndData): string {
  const { sub } = placeOf(index, end);
  return sub === null ? end.component : `${end.component}/${sub.name}`;
}

function flowOf(index: TopologyIndex, link: LinkData): DataFlow {
  return {
    from: endName(index, link.from),
    to: endName(index, link.to),
    direction: directionOf(link.access),
    how: link.access ?? link.type,
  };
}

/** The flows of every drawn link but those of the MCP server, which moves no data of the stack. */
export function dataFlows(index: TopologyIndex): readonly DataFlow[] {
  return index.data.links.filter(({ from }) => from.component !== MCP).map((link) => flowOf(index, link));
}

function stepsOf(flows: readonly DataFlow[]): ReadonlyMap<string, readonly string[]> {
  const steps = new Map<string, string[]>();
  const add = (from: string, to: string): void => {
    const known = steps.get(from);
    if (known === undefined) steps.set(from, [to]);
    else if (!known.includes(to)) known.push(to);
  };
  for (const { from, to, direction } of flows) {
    if (direction !== "from") add(from, to);
    if (direction === "from") add(to, from);
  }
  return steps;
}

/** From a sub-component the data also goes where its component's own links lead: a backup holds every database. */
function nextOf(steps: ReadonlyMap<string, readonly string[]>, place: string): readonly string[] {
  const own = steps.get(place) ?? [];
  const slash = place.indexOf("/");
  return slash < 0 ? own : [...own, ...(steps.get(place.slice(0, slash)) ?? [])];
}

/**
 * The ways that data takes through several components: `apisix -> fastapi -> kafka/orders -> clickhouse/events`.
 * Each starts where nothing flows in, visits nothing twice, and ends where nothing flows on.
 */
export function dataPaths(flows: readonly DataFlow[]): readonly string[] {
  const steps = stepsOf(flows);
  const entered = new Set([...steps.values()].flat());
  const paths: string[] = [];
  const walk = (path: readonly string[]): void => {
    if (paths.length >= MAX_PATHS) return;
    const next = nextOf(steps, path.at(-1) ?? "").filter((name) => !path.includes(name));
    if (next.length === 0 || path.length === MAX_STEPS) {
      if (path.length > 2) paths.push(path.join(" -> "));
      return;
    }
    for (const name of next) walk([...path, name]);
  };
  for (const start of steps.keys()) if (!entered.has(start)) walk([start]);
  return paths;
}
