const UNSEEN = /[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const TAGS = /[\u{e0000}-\u{e007f}]/gu;
/** What gives a text authority or a place to go: code, markup, comments, links and addresses. */
const MARKUP: readonly (readonly [RegExp, string])[] = [
  [/```[\s\S]{0,20000}?(?:```|$)/g, " "],
  [/<!--[\s\S]{0,20000}?(?:-->|$)/g, " "],
  [/<\/?[A-Za-z!?][^<>]{0,500}>/g, " "],
  [/!?\[([^[\]]{0,500})\]\([^()]{0,500}\)/g, "$1"],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/\S{1,2000}/gi, "(address)"],
  [/[`*#<>|{}[\]\\"]+/g, " "],
];

/**
 * A description that another system's author wrote, as one line of plain words of at most `max` characters. Such a
 * text is shown to a model, so nothing in it may look like anything but the remark of a stranger.
 */
export function foreignText(text: unknown, max: number): string {
  if (typeof text !== "string") return "";
  // Longer ones are cut anyway; the patterns below then have little to do.
  const visible = text
    .slice(0, 20_000)
    .toWellFormed()
    .replace(/\s/g, " ")
    .replace(UNSEEN, "")
    .replace(TAGS, "");
  const words = MARKUP.reduce((left, [pattern, by]) => left.replace(pattern, by), visible);
  const line = words.replace(/ {2,}/g, " ").trim();
  return line.length <= max
    ? line
    : `${line
        .slice(0, max - 1)
        .toWellFormed()
        .trimEnd()}…`;
}
