/** Control characters but tab and line feed, characters that reverse text, halves of surrogate pairs. */
const invisible =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]/gu;

/** Makes characters visible that would change how a terminal or a reviewer shows the text around them. */
export function escapeInvisible(text: string): string {
  return text.replace(
    invisible,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
