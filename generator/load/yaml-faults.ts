import type { ErrorCode } from "yaml";

/**
 * What is wrong and what to do, for each code of the `yaml` library.
 *
 * Its own messages are never shown: several quote the source, and what stands there may be a secret.
 */
export const yamlMessages: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: "an alias cannot have an anchor or a tag: write the value out",
  BAD_ALIAS: "aliases are not read: write the value out where it is used",
  BAD_COLLECTION_TYPE: "a tag does not fit the value: remove the tag",
  BAD_DIRECTIVE: "directives are not read: remove the line that begins with %",
  BAD_DQ_ESCAPE: "an escape in double quotes is not valid: write \\\\ for a backslash, or use single quotes",
  BAD_INDENT:
    "the indentation does not fit: indent with two spaces per level, and closing brackets more than their key",
  BAD_PROP_ORDER: "an anchor or tag stands in the wrong place: remove it",
  BAD_SCALAR_START: "an unquoted value cannot begin with this character: put the value in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second `key:` on one line: put it in a line of its own, or the value in quotes",
  BLOCK_IN_FLOW:
    "a list or map with dashes or lines cannot stand within brackets: write it with brackets too",
  DUPLICATE_KEY: "a key is written twice: keep one",
  IMPOSSIBLE: "the structure cannot be understood here: write one `key: value` per line",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters, or its colon is missing",
  MISSING_CHAR:
    "a character is missing here, such as a closing quote or bracket, a comma, or a space after a colon",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line, with a colon and a space after it",
  MULTIPLE_ANCHORS: "anchors are not read: remove them",
  MULTIPLE_DOCS: "a stack file holds one document: remove the --- and what follows, or make it another file",
  MULTIPLE_TAGS: "tags are not read: remove them",
  NON_STRING_KEY: "a key must be text: put it in quotes",
  RESOURCE_EXHAUSTION: "the nesting is too deep to be read",
  TAB_AS_INDENT: "a tab cannot indent: use spaces",
  TAG_RESOLVE_FAILED: "tags are not read: remove the tag, and quote the value if it is text",
  UNEXPECTED_TOKEN:
    "something here does not belong to the value before it: check quotes, brackets and indentation",
};
