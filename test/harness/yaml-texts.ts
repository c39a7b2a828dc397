import fc from "fast-check";

const word = fc.constantFrom(
  "a",
  "kafka",
  "valkey_set",
  "0",
  "12",
  "-3",
  "1.50",
  "true",
  "null",
  "~",
  "30d",
  "100/s",
);
const oddWord = fc.constantFrom(
  "012",
  "0x1F",
  "1e3",
  ".5",
  "+1",
  "1_000",
  "1:30",
  "-0",
  ".inf",
  "yes",
  "No",
  "=",
  "<<",
  "2027-01-31",
  "1.2.3.4",
  "a b",
  "a:b",
  "a#b",
  "a, b",
  "a [b]",
  "it's",
  'a "b" c',
  "-",
  "-a",
  "--- a",
  "...",
  "?",
  "? a",
  ": a",
  "*a",
  "&a b",
  "!t a",
  "| a",
  "> a",
  "@a",
  "`a`",
  "%a",
  "[a",
  "a]",
  "{a",
  "a}",
  "é",
  "\u00a0",
  "\u2028",
  "😀",
  "a\tb",
  "a\\b",
  "a: b",
  "a #b",
);
const scalar = fc.oneof(
  { weight: 40, arbitrary: word },
  { weight: 3, arbitrary: oddWord },
  { weight: 6, arbitrary: oddWord.map((text) => `'${text}'`) },
  { weight: 6, arbitrary: oddWord.map((text) => `"${text}"`) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\x41"',
      "'it''s'",
      '"\\ud800"',
      '"\\u202e"',
      '"a\n  b"',
      "|\n    a\n    b",
      "a\n  b",
    ),
  },
);
const key = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.constantFrom(
      "a",
      "b",
      "c",
      "d",
      "e",
      "f",
      "g",
      "h",
      "j",
      "k",
      "kafka/orders",
      "rabbitmq/queue:emails",
      "app_db",
      "x-y",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"a b"',
      "'d'",
      "1",
      "true",
      "<<",
      "__proto__",
      "a b",
      "*x",
      "valkey_*",
      "",
      '"e"',
      "k:",
    ),
  },
);
const gap = fc.constantFrom(..."          ".split(""), "", "", "\n", "\n         ", " # c\n           ");
const comment = fc.constantFrom(...Array<string>(20).fill(""), " # comment", "#no comment", "  ", "\t");

const { flow } = fc.letrec<{ flow: string; list: string; map: string; entry: string }>((tie) => ({
  flow: fc.oneof({ maxDepth: 3, depthIdentifier: "flow" }, scalar, tie("list"), tie("map")),
  list: fc
    .tuple(
      gap,
      fc.array(tie("flow"), { maxLength: 3 }),
      fc.constantFrom(", ", ",", ",\n    "),
      gap,
      fc.constantFrom("", ","),
    )
    .map(([before, items, comma, after, last]) => `[${before}${items.join(comma)}${last}${after}]`),
  entry: fc
    .tuple(
      key,
      fc.constantFrom(...Array<string>(20).fill(": "), ":", ":\n         "),
      fc.option(tie("flow"), { nil: "" }),
    )
    .map((parts) => parts.join("")),
  map: fc
    .tuple(gap, fc.array(tie("entry"), { maxLength: 3 }), gap)
    .map(([before, entries, after]) => `{${before}${entries.join(", ")}${after}}`),
}));

type Lines = readonly string[];

function indented(lines: Lines, by: string): Lines {
  return lines.map((line) => by + line);
}

/** The lines of a map or list; `[...]` of one line is a value on the line of its key. */
const { block } = fc.letrec<{ block: Lines; map: Lines; list: Lines; value: Lines }>((tie) => ({
  block: fc.oneof({ maxDepth: 4, depthIdentifier: "block" }, tie("map"), tie("list")),
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: "block" },
    fc.tuple(fc.oneof(scalar, flow), comment).map(([text, end]) => [` ${text}${end}`]),
    comment.map((end) => [end]),
    fc
      .tuple(comment, tie("block"), fc.constantFrom("  ", "    ", " ", ""))
      .map(([end, lines, by]) => [end, ...indented(lines, by)]),
  ),
  map: fc
    .array(fc.tuple(key, tie("value")), { minLength: 1, maxLength: 4 })
    .map((entries) => entries.flatMap(([name, [first = "", ...rest]]) => [`${name}:${first}`, ...rest])),
  list: fc
    .array(
      fc.oneof(
        tie("value"),
        tie("map").map(([first = "", ...rest]) => [` ${first}`, ...indented(rest, "  ")]),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((items) => items.flatMap(([first = "", ...rest]) => [`-${first}`, ...rest])),
}));

const document = fc
  .tuple(
    fc.constantFrom(...Array<string>(12).fill(""), "---\n", "# c\n\n", "%YAML 1.2\n---\n", " "),
    block,
    fc.constantFrom(...Array<string>(12).fill("\n"), "", "\n\n# c", "\n...\n", "\n---\n"),
  )
  .map(([start, lines, end]) => start + lines.join("\n") + end);

const damage = fc.record({
  at: fc.nat(),
  remove: fc.nat(4),
  insert: fc.oneof(
    fc.constantFrom(
      "",
      " ",
      "  ",
      "\n",
      ":",
      ": ",
      "- ",
      "#",
      " #",
      "[",
      "]",
      "{",
      "}",
      ",",
      "'",
      '"',
      "\\",
      "\n  ",
      "---\n",
    ),
    oddWord,
  ),
});

/** What comes out of a file: it has no halves of surrogate pairs. */
function asRead(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** YAML of every shape: mostly the plain kind, with an odd thing here and there. */
export const yamlText: fc.Arbitrary<string> = document.map(asRead);

function stretchOf(text: string, from: number, count: number): string {
  const lines = text.split("\n");
  const start = from % lines.length;
  const indent = /^ */.exec(lines[start] ?? "")?.[0] ?? "";
  return lines
    .slice(start, start + 1 + count)
    .map((line) => `${line.startsWith(indent) ? line.slice(indent.length) : line}\n`)
    .join("");
}

/** A stretch of lines of one of the texts, with a few random edits. */
export function damagedText(texts: readonly string[]): fc.Arbitrary<string> {
  return fc
    .record({
      text: fc.constantFrom(...texts),
      from: fc.nat(),
      count: fc.nat(15),
      damages: fc.array(damage, { maxLength: 4 }),
    })
    .map(({ text, from, count, damages }) =>
      damages.reduce(
        (current, { at, remove, insert }) => {
          const place = at % (current.length + 1);
          return current.slice(0, place) + insert + current.slice(place + remove);
        },
        stretchOf(text, from, count),
      ),
    )
    .map(asRead);
}
