/** Items of a list in an answer. */
export const MAX_ROWS = 500;
/** Characters of an answer that is not JSON. */
export const MAX_TEXT = 16_384;
