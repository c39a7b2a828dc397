// Terminal escape sequences, as one piece so that no `[31m` stays behind.
const ESCAPE_SEQUENCE =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]{0,256}(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// C0 without tab and newlines, C1, soft hyphen, zero-width, bidirectional controls, tags, line separators.
const INVISIBLE =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const SUSPECT =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\udb40]/;

/**
 * What a person reviewing the text would see: without terminal escapes and without characters that hide or
 * reorder others. Half of a surrogate pair becomes U+FFFD.
 */
export function plainText(text: string): string {
  const formed = text.toWellFormed();
  return SUSPECT.test(formed) ? formed.replace(ESCAPE_SEQUENCE, "").replace(INVISIBLE, "") : formed;
}
