import { reachOf } from "#runtime/stack-agent/reach";
import type { Reach } from "#runtime/stack-agent/reach";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import type { Row } from "#runtime/stack-agent/variables";
import { demandQuery } from "./guard.ts";
import { demandWrite } from "./may-write.ts";
import { ambientPlaces, placesOf } from "./places.ts";
import type { SettingsOf } from "./places.ts";
import type { Programs } from "./programs.ts";
import { rowVocabulary } from "./row-values.ts";
import type { CommandRules } from "./rules.ts";
import type { RunContext } from "./run.ts";

/** For one command, whatever the row has left. */
export const COMMAND_MS = 15_000;

/** What all rows share. */
export interface Grounds {
  readonly rules: CommandRules;
  readonly settings: SettingsOf;
  readonly programs: Programs;
  /** Whether every write waits for a person. */
  readonly approvalForWrites: boolean;
}

/** When a test has to end, and what it may do until then. */
export interface Span {
  readonly signal: AbortSignal;
  /** A time of `performance.now()`. */
  readonly until: number;
  /** Characters of each output. */
  readonly shown: number;
  readonly mayWrite: boolean;
}

const reaches = new WeakMap<TopologyData, Reach>();

function knownReach(data: TopologyData): Reach {
  const reach = reaches.get(data) ?? reachOf(data);
  reaches.set(data, reach);
  return reach;
}

/** The host of the route that a row is: a link that starts at a gateway. */
function routeOf({ index, link }: Row, { gateways }: CommandRules): RunContext["route"] {
  const { domain } = index.data;
  const from = link === null ? undefined : index.byName.get(link.from.component)?.component.type;
  if (link === null || domain === null || from === undefined || !gateways.includes(from)) return null;
  const to = link.to.component;
  return { host: `${String(link.attributes["subdomain"] ?? to)}.${domain}`, to };
}

/** All that the commands for one row may use. */
export function rowContext(row: Row, grounds: Grounds, span: Span): RunContext {
  const { rules, settings, programs, approvalForWrites } = grounds;
  const links = { reach: knownReach(row.index.data), rules, settings };
  const places = placesOf(row, links);
  const gate = { settings, approvalForWrites, mayWrite: span.mayWrite };
  return {
    places,
    everywhere: ambientPlaces(row, links),
    route: routeOf(row, rules),
    vocabulary: rowVocabulary(row, places),
    programs,
    demandWrite: (tool, { target }) => demandWrite(tool, target.place, gate),
    demandQuery: async (guard, text, { target }) => await demandQuery(guard, text, target.place),
    timeoutMs: Math.min(COMMAND_MS, span.until - performance.now()),
    signal: span.signal,
  };
}
