import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { shrink } from "#runtime/opensearch/document";

const MAX_ID = 512;
const MAX_FRAGMENT = 400;

export interface Hits {
  readonly rows: readonly { readonly hit: object; readonly isCut: boolean }[];
  /** `null` when the cluster stopped counting. */
  readonly total: number | null;
  readonly warnings: readonly string[];
}

function highlightOf(value: unknown): object {
  if (value === undefined) return {};
  const shown = Object.entries(recordOf(value)).map(([field, parts]) => [
    field,
    listOf(parts).map((part) => cutText(part, MAX_FRAGMENT)),
  ]);
  return { highlight: Object.fromEntries(shown) as object };
}

function hitOf(value: unknown): { readonly hit: object; readonly isCut: boolean } {
  const { _index, _id, _score, _source, highlight } = recordOf(value);
  const { value: source, isCut } = shrink(_source ?? {});
  const score = typeof _score === "number" ? { score: _score } : {};
  return {
    hit: {
      index: cutText(_index, MAX_ID),
      id: cutText(_id, MAX_ID),
      ...score,
      source,
      ...highlightOf(highlight),
    },
    isCut,
  };
}

/** What an answer says about itself: a part of the shards, or of the time, is not the whole. */
export function warningsOf(answer: Readonly<Record<string, unknown>>): readonly string[] {
  const { failed } = recordOf(answer["_shards"] ?? {});
  return [
    ...(answer["timed_out"] === true ? ["the time was up: only what was found until then"] : []),
    ...(typeof failed === "number" && failed > 0 ? [`${failed} shards did not answer`] : []),
  ];
}

export function totalOf(hits: unknown): number | null {
  const { value, relation } = recordOf(recordOf(hits)["total"]);
  return relation === "eq" && typeof value === "number" ? value : null;
}

export function hitsOf(answer: Readonly<Record<string, unknown>>): Hits {
  const hits = recordOf(answer["hits"]);
  return { rows: listOf(hits["hits"]).map(hitOf), total: totalOf(hits), warnings: warningsOf(answer) };
}
