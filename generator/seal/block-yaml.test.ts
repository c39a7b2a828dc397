import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMap, isScalar, isSeq, parseAllDocuments } from "yaml";
import { readBlockYaml } from "./block-yaml.ts";
import { SealError } from "./seal-error.ts";
import type { Tree } from "./tree.ts";

const SEALED = `apiVersion: v1
kind: Secret
metadata:
    name: shop
    labels:
        app.kubernetes.io/name: shop-mcp
        v: "1.0"
type: Opaque
stringData:
    A: ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]
    "NO": ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]
sops:
    kms: []
    age:
        - enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            QUFB
            -----END AGE ENCRYPTED FILE-----
          recipient: age1a
        - recipient: age1b
          enc: |
            QkJC
    encrypted_regex: ^(data|stringData)$
    lastmodified: "2026-01-31T12:00:00Z"
    mac: ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]
    mac_only_encrypted: true
    version: 3.9.4
`;

/** The same text as the complete library takes it, every scalar as text; `undefined` when it finds a fault. */
function byLibrary(text: string): Tree | undefined {
  const documents = parseAllDocuments(text, { schema: "failsafe", logLevel: "silent", prettyErrors: false });
  const [only] = documents;
  if (documents.length !== 1 || only === undefined || only.errors.length > 0) return undefined;
  const tree = (node: unknown): Tree => {
    if (isMap(node)) return new Map(node.items.map(({ key, value }) => [String(tree(key)), tree(value)]));
    if (isSeq(node)) return node.items.map(tree);
    if (isScalar(node)) return String(node.value ?? "");
    throw new Error("neither map, list nor scalar");
  };
  return tree(only.contents);
}

function bySmallReader(text: string): Tree | undefined {
  try {
    return readBlockYaml("f", text);
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}

const LINES = SEALED.split("\n");
const at = fc.nat({ max: LINES.length - 1 });
const snippet = fc.constantFrom(
  "    B: plain # a comment",
  "# a comment",
  "",
  "    - item",
  "x:",
  "  y: z",
  '    "q\\u0041": "\\n"',
  "    C: 'single'",
  "    D: {a: b}",
  "    E: [a]",
  "    F: &a b",
  "    G: *a",
  "    H: !!int 5",
  "    I: a: b",
  "    J: >-",
  "    K: |-",
  "    L: |+",
  "        text",
  "---",
  "...",
  "? k",
  "    M:N: o",
  "\tN: tab",
  "    O: a\tb",
  "    P : q",
  "    - R: s",
  "      T: u",
  "    -",
  "%YAML 1.1",
  "    <<: x",
);
const edit = fc.oneof(
  fc.tuple(at, snippet).map(
    ([line, text]) =>
      (lines: string[]) =>
        lines.splice(line, 0, text),
  ),
  at.map((line) => (lines: string[]) => lines.splice(line, 1)),
  fc.tuple(at, at).map(
    ([from, to]) =>
      (lines: string[]) =>
        lines.splice(to, 0, lines[from] ?? ""),
  ),
  fc.tuple(at, fc.integer({ min: -4, max: 4 })).map(([line, by]) => (lines: string[]) => {
    const text = lines[line] ?? "";
    lines[line] =
      by < 0 ? text.slice(Math.min(-by, text.length - text.trimStart().length)) : " ".repeat(by) + text;
  }),
  fc
    .tuple(
      at,
      fc.nat({ max: 60 }),
      fc.constantFrom(..."#:-\"'|>{}[],&*!%@` \t\r\0\u007F\u0085\u2028\uFEFF\\="),
    )
    .map(([line, column, character]) => (lines: string[]) => {
      const text = lines[line] ?? "";
      lines[line] = text.slice(0, column) + character + text.slice(column);
    }),
);

describe("the YAML of a sealed Secret", () => {
  it("is read as the complete library reads it", () => {
    expect(bySmallReader(SEALED)).toEqual(byLibrary(SEALED));
  });

  it("with any change: as the library reads it, or not at all", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const lines = [...LINES];
        for (const change of edits) change(lines);
        const text = lines.join("\n");
        const own = bySmallReader(text);
        if (own === undefined) return;
        accepted++;
        expect(own).toEqual(byLibrary(text));
      }),
      { numRuns: 8_000 },
    );
    expect(accepted).toBeGreaterThan(1_000);
  });

  it("a fault names the line", () => {
    expect(() => readBlockYaml("f", "a: b\nc: 'd'\n")).toThrow(/^f: line 2 is not as SOPS writes YAML$/);
  });
});
