/** As many `unit`s as fit into `size`. */
export function fill(size: number, unit: string): string {
  return unit.repeat(Math.floor(size / unit.length));
}

/** As many lines as fit into `size`. */
export function lines(size: number, line: (index: number) => string): string {
  const parts: string[] = [];
  for (let index = 0, length = 0; ; index++) {
    const next = line(index);
    length += next.length;
    if (length > size) return parts.join("");
    parts.push(next);
  }
}

function component(index: number): string {
  return [
    `  service-${index}:`,
    "    type: valkey",
    `    namespace: cache-${index}`,
    "    port: 6379",
    "    config: {workers: 4, url: http://cache.example.com/path}",
    "    buckets:",
    "      invoices: {public: false}",
    "      backups:",
    "    labels:",
    "      app.kubernetes.io/name: cache",
    '    schedule: "0 3 * * *"\n',
  ].join("\n");
}

/** A plain stack file of a given size. */
export function stack(components: number, links: number): string {
  const drawn = Array.from({ length: components }, (_, index) => component(index)).join("");
  const rows: string[] = [];
  for (let index = 0; index < components; index++) {
    rows.push(`  service-${index}:\n`);
    for (let to = 0; to < links / components; to++) {
      rows.push(
        `    service-${(index + to + 1) % components}: {access: read, description: generated link}\n`,
      );
    }
  }
  return `apiVersion: topology/v1\nstack: large\ncomponents:\n${drawn}links:\n${rows.join("")}`;
}

export const billionLaughs = [
  "a0: &a0 [lol, lol, lol]\n",
  ...Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [${fill(40, `*a${index},`)}]\n`),
].join("");

/** `refuses` is a part of the diagnostics; a file without it is legal, unless its size makes it an E-LIMIT. */
export interface HostileFile {
  readonly name: string;
  readonly make: (size: number) => string | Uint8Array;
  readonly refuses?: RegExp;
}

export const hostileFiles: readonly HostileFile[] = [
  { name: "opening brackets", make: (size) => fill(size, "["), refuses: /E-/ },
  { name: "opening braces", make: (size) => fill(size, "{"), refuses: /E-/ },
  {
    name: "brackets below a key",
    make: (size) => `a: ${fill(size, "[")}`,
    refuses: /E-LIMIT 1:3\d|E-LIMIT 1:4/,
  },
  { name: "closing brackets", make: (size) => fill(size, "]"), refuses: /E-/ },
  { name: "dashes on one line", make: (size) => fill(size, "- "), refuses: /E-/ },
  { name: "dashes below a key", make: (size) => `a:\n  ${fill(size, "- ")}x\n`, refuses: /E-LIMIT 2:/ },
  { name: "question marks on one line", make: (size) => fill(size, "? "), refuses: /E-/ },
  { name: "colons on one line", make: (size) => fill(size, ": "), refuses: /E-/ },
  {
    name: "a staircase of keys",
    make: (size) => staircase(Math.floor(Math.sqrt(2 * size)) - 4, ""),
    refuses: /E-LIMIT/,
  },
  {
    name: "a staircase with block scalars that reset the column",
    make: (size) => staircase(Math.floor(Math.sqrt(size)) - 10, "|"),
    refuses: /E-LIMIT/,
  },
  { name: "items of a list in brackets", make: (size) => `a: [${fill(size, "b,")}]\n` },
  { name: "empty items", make: (size) => `a: [${fill(size, ",")}]\n`, refuses: /E-/ },
  { name: "empty lists in a list", make: (size) => `a: [${fill(size, "[],")}]\n` },
  { name: "empty maps in a list", make: (size) => `a: [${fill(size, "{},")}]\n` },
  { name: "quoted texts without commas", make: (size) => `a: [${fill(size, '""')}]\n`, refuses: /E-/ },
  {
    name: "spaced quoted texts without commas",
    make: (size) => `a: [${fill(size, "'' ")}]\n`,
    refuses: /E-/,
  },
  {
    name: "anchors",
    make: (size) => lines(size, (index) => `k${index}: &a${index} x\n`),
    refuses: /anchors|E-LIMIT/,
  },
  {
    name: "aliases",
    make: (size) => `a: &a b\n${lines(size, (index) => `k${index}: *a\n`)}`,
    refuses: /aliases|E-LIMIT/,
  },
  { name: "tags", make: (size) => lines(size, (index) => `k${index}: !t x\n`), refuses: /tags|E-LIMIT/ },
  { name: "exclamation marks", make: (size) => fill(size, "! "), refuses: /tags|E-/ },
  { name: "directives", make: (size) => fill(size, "%a\n"), refuses: /E-/ },
  { name: "document starts", make: (size) => fill(size, "---\n"), refuses: /E-/ },
  { name: "documents", make: (size) => fill(size, "a: b\n...\n"), refuses: /E-/ },
  { name: "one very long plain text", make: (size) => `a: ${fill(size, "b")}\n` },
  { name: "one very long quoted text", make: (size) => `a: "${fill(size, "b")}"\n` },
  { name: "one very long key", make: (size) => `${fill(size, "b")}: a\n`, refuses: /E-/ },
  { name: "escapes without end", make: (size) => `a: "${fill(size, "\\n")}"\n` },
  { name: "backslashes without a closing quote", make: (size) => `a: "${fill(size, "\\")}`, refuses: /E-/ },
  { name: "unclosed quotes", make: (size) => fill(size, 'a: "\n'), refuses: /E-/ },
  { name: "an unclosed quote over many lines", make: (size) => `a: "${fill(size, "x\n  ")}`, refuses: /E-/ },
  { name: "one number", make: (size) => `a: ${fill(size, "9")}\n`, refuses: /E-/ },
  { name: "one number with many zeros", make: (size) => `a: 1.${fill(size, "0")}1\n`, refuses: /never|E-/ },
  {
    name: "a plain text over many lines",
    make: (size) => `a: b\n${fill(size, "  c\n")}`,
    refuses: /never|E-LIMIT/,
  },
  { name: "a block scalar of short lines", make: (size) => `a: |\n${fill(size, "  c\n")}` },
  { name: "a folded scalar of empty lines", make: (size) => `a: >\n  x\n${fill(size, "\n")}  y\n` },
  { name: "empty lines", make: (size) => `a: b${fill(size, "\n")}` },
  { name: "comments", make: (size) => `${fill(size, "#\n")}a: b\n` },
  { name: "spaces", make: (size) => `a: b${fill(size, " ")}\n` },
  { name: "tabs", make: (size) => `a: b${fill(size, "\t")}\n` },
  { name: "tabs that indent", make: (size) => `a:\n${fill(size, "\tb\n")}`, refuses: /E-/ },
  { name: "nested mappings on one line", make: (size) => fill(size, "a: b: c\n"), refuses: /E-/ },
  { name: "the same key", make: (size) => fill(size, "a: b\n"), refuses: /E-/ },
  { name: "the same key in braces", make: (size) => `a: {${fill(size, "b: 1, ")}}\n`, refuses: /E-/ },
  {
    name: "keys that collide with prototypes",
    make: (size) => fill(size, "__proto__: {a: b}\n"),
    refuses: /reserved|E-/,
  },
  { name: "null bytes", make: (size) => new Uint8Array(size), refuses: /U\+0000/ },
  { name: "bytes that are not UTF-8", make: (size) => new Uint8Array(size).fill(0xff), refuses: /UTF/ },
  { name: "text that is not UTF-8 at its end", make: (size) => notUtf8AtTheEnd(size), refuses: /UTF-8/ },
  { name: "carriage returns", make: (size) => `a: b${fill(size, "\r")}\n`, refuses: /U\+000D/ },
  { name: "Windows line ends", make: (size) => `a: b\r\n${fill(size, "\r\n")}` },
  {
    name: "characters that reverse text",
    make: (size) => `a: ${fill(size / 3, "\u202e")}\n`,
    refuses: /U\+202E/,
  },
  { name: "byte order marks", make: (size) => fill(size / 3, "\ufeff"), refuses: /U\+FEFF/ },
  { name: "percent signs and quotes", make: (size) => fill(size, "''\n"), refuses: /E-/ },
];

function staircase(levels: number, sibling: string): string {
  const steps: string[] = [];
  for (let level = 0; level < levels; level++) {
    const indent = " ".repeat(level);
    if (sibling !== "") steps.push(`${indent}s: ${sibling}\n${indent} x\n`);
    steps.push(`${indent}a:\n`);
  }
  return steps.join("");
}

function notUtf8AtTheEnd(size: number): Uint8Array {
  const bytes = new TextEncoder().encode(`a: ${"b".repeat(size - 10)}\n`);
  bytes[bytes.length - 2] = 0xc3;
  return bytes;
}
