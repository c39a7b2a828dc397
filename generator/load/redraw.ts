/** Turns a normalised drawing on record back into a stack file that says the same. */

type Pairs = readonly (readonly [string, Readonly<Record<string, unknown>>])[];

interface Recorded {
  readonly components: Pairs;
  readonly links: Pairs;
  readonly [key: string]: unknown;
}

const BETWEEN = "->";

/** `only` holds a word for each target, so the word of the whole link would be said twice. */
function written({
  access,
  only,
  ...rest
}: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return only === undefined ? { access, ...rest } : { only, ...rest };
}

function linksOf(links: Pairs): Readonly<Record<string, Record<string, unknown>>> {
  const sources: Record<string, Record<string, unknown>> = {};
  for (const [id, value] of links) {
    const [from = "", target = ""] = id.split(BETWEEN);
    const [to = "", name] = target.split("#");
    const own = (sources[from] ??= {});
    if (name === undefined) own[to] = written(value);
    else own[to] = [...((own[to] as unknown[] | undefined) ?? []), value];
  }
  return sources;
}

/** The bytes of a stack file; `text` is `governance/drawing.json`. */
export function redraw(text: string): Uint8Array {
  const { components, links, ...root } = JSON.parse(text) as Recorded;
  return Buffer.from(
    JSON.stringify({ ...root, components: Object.fromEntries(components), links: linksOf(links) }),
  );
}
