import type { HttpService } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { ask, askRows, withoutNodes } from "#runtime/opensearch/api";

const MAX_TEXT = 300;
const MAX_DECIDERS = 10;

export interface Shard {
  readonly index: string;
  readonly shard: number;
  readonly primary: boolean;
  readonly state: string;
  readonly docs: number | null;
  readonly reason?: string;
}

/** Of the indices behind the patterns; unassigned ones first, with the reason why they became so. */
export async function shardsOf(
  service: HttpService,
  patterns: string,
  signal: AbortSignal,
): Promise<readonly Shard[]> {
  const query = { format: "json", h: "index,shard,prirep,state,docs,unassigned.reason" };
  const rows = listOf(await askRows(service, { path: ["_cat", "shards", patterns], query, signal }));
  const shards = rows.map((row): Shard => {
    const { index, shard, prirep, state, docs, "unassigned.reason": reason } = recordOf(row);
    return {
      index: cutText(index, MAX_TEXT),
      shard: Number(shard),
      primary: prirep === "p",
      state: cutText(state, MAX_TEXT),
      docs: docs === null || docs === undefined ? null : Number(docs),
      ...(typeof reason === "string" ? { reason: cutText(reason, MAX_TEXT) } : {}),
    };
  });
  const key = ({ state, index, shard, primary }: Shard): string =>
    [state === "STARTED" ? "1" : "0", index, String(shard).padStart(6, "0"), primary ? "0" : "1"].join(" ");
  return shards.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Why a shard is on no node: what the cluster decides, and its deciders' words without the nodes' names. */
export async function explanationOf(
  service: HttpService,
  { index, shard, primary }: Shard,
  signal: AbortSignal,
): Promise<object> {
  const answer = await ask(service, {
    path: ["_cluster", "allocation", "explain"],
    json: { index, shard, primary },
    signal,
  });
  const nodes = Array.isArray(answer["node_allocation_decisions"]) ? answer["node_allocation_decisions"] : [];
  const deciders = nodes.flatMap((node: unknown) => {
    const own = recordOf(node)["deciders"];
    return Array.isArray(own) ? own.map(recordOf) : [];
  });
  const said = new Map(
    deciders.map(({ decider, explanation }) => [
      cutText(decider, MAX_TEXT),
      withoutNodes(cutText(explanation, MAX_TEXT)),
    ]),
  );
  return {
    index,
    shard,
    primary,
    can_allocate: cutText(answer["can_allocate"], MAX_TEXT),
    why: withoutNodes(cutText(answer["allocate_explanation"], MAX_TEXT)),
    nodes_asked: nodes.length,
    deciders: [...said].slice(0, MAX_DECIDERS).map(([decider, explanation]) => ({ decider, explanation })),
  };
}
