import type { Span } from "#runtime/tempo/span";

export interface Placed {
  readonly span: Span;
  readonly depth: number;
  /** Time in which none of its children ran. */
  readonly selfNs: bigint;
}

const byStart = (a: Span, b: Span): number =>
  a.startNs === b.startNs ? (a.id < b.id ? -1 : 1) : a.startNs < b.startNs ? -1 : 1;

/** Time of the span that no child covers; children may run at once, or outlive it. */
function selfOf({ startNs, endNs }: Span, children: readonly Span[]): bigint {
  let covered = 0n;
  let reached = startNs;
  for (const child of children) {
    const from = child.startNs > reached ? child.startNs : reached;
    const to = child.endNs < endNs ? child.endNs : endNs;
    if (to <= from) continue;
    covered += to - from;
    reached = to;
  }
  return endNs > startNs ? endNs - startNs - covered : 0n;
}

export interface Tree {
  /** Parents before their children, each level by time. */
  readonly placed: readonly Placed[];
  readonly root: Span | undefined;
  readonly beginsNs: bigint;
  readonly endsNs: bigint;
  /** Spans whose parent the trace does not hold. */
  readonly orphans: number;
}

/** The spans as a tree; links that make a circle, and absent parents, cost nothing but depth. */
export function treeOf(spans: readonly Span[]): Tree {
  const known = new Set(spans.map(({ id }) => id));
  const children = new Map<string, Span[]>();
  const tops: Span[] = [];
  let orphans = 0;
  for (const span of [...spans].sort(byStart)) {
    const hasParent = known.has(span.parent) && span.parent !== span.id;
    if (!hasParent && span.parent !== "") orphans += 1;
    if (!hasParent) tops.push(span);
    else {
      const siblings = children.get(span.parent) ?? [];
      siblings.push(span);
      children.set(span.parent, siblings);
    }
  }
  const placed: Placed[] = [];
  const seen = new Set<Span>();
  const place = (start: Span): void => {
    const waiting = [{ span: start, depth: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next.span)) continue;
      seen.add(next.span);
      const below = children.get(next.span.id) ?? [];
      placed.push({ ...next, selfNs: selfOf(next.span, below) });
      for (const span of below.toReversed()) waiting.push({ span, depth: next.depth + 1 });
    }
  };
  for (const span of tops) place(span);
  // What is left hangs on a circle.
  for (const span of spans) if (!seen.has(span)) place(span);
  const first = tops[0] ?? spans[0];
  return {
    placed,
    root: tops.find(({ parent }) => parent === "") ?? first,
    beginsNs: spans.reduce((least, { startNs }) => (startNs < least ? startNs : least), first?.startNs ?? 0n),
    endsNs: spans.reduce((most, { endNs }) => (endNs > most ? endNs : most), 0n),
    orphans,
  };
}
