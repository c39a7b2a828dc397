/** YAML and JSON as SOPS reads them: every document a map, its order and the types of its scalars kept. */
import type * as Yaml from "yaml";
import { resolveScalar } from "./go-scalar.ts";
import { SealError } from "./seal-error.ts";
import type { Branch, Tree } from "./tree.ts";

/** Deeper than anybody nests secrets; the time that the parser takes grows with the square of the depth. */
const MOST_DEPTH = 200;

const OPTIONS = { schema: "failsafe", uniqueKeys: false, logLevel: "silent", prettyErrors: false } as const;

interface Reading {
  readonly path: string;
  readonly text: string;
  readonly yaml: typeof Yaml;
  readonly isJson: boolean;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function refuse({ path, text }: Reading, node: unknown, what: string): never {
  const { range = null } = (node ?? {}) as { readonly range?: Yaml.Range | null };
  const where = range === null ? "it" : `line ${lineAt(text, range[0])}`;
  throw new SealError(path, "unsupported", `${where} has ${what}`);
}

function scalarOf(reading: Reading, node: Yaml.Scalar): Tree {
  if (node.tag !== undefined && node.tag !== "tag:yaml.org,2002:str")
    return refuse(reading, node, "a value with a tag, which is not read here");
  if (node.tag !== undefined || (node.type !== "PLAIN" && node.type !== undefined)) return String(node.value);
  const resolved = resolveScalar(node.source ?? "", reading.isJson);
  return resolved ?? refuse(reading, node, "a number that SOPS cannot hold");
}

function keyOf(reading: Reading, key: unknown): string {
  const text = reading.yaml.isScalar(key) ? scalarOf(reading, key) : undefined;
  if (typeof text === "string") return text;
  return refuse(reading, key, "a key that is no text");
}

function treeOf(reading: Reading, node: unknown): Tree {
  const { yaml } = reading;
  if (node === null) return { type: "null", text: "" };
  if (yaml.isScalar(node)) return scalarOf(reading, node);
  if (yaml.isMap(node)) return branchOf(reading, node);
  if (yaml.isSeq(node)) return node.items.map((item) => treeOf(reading, item));
  return refuse(reading, node, "an alias, which is not read here");
}

function branchOf(reading: Reading, { items }: Yaml.YAMLMap): Branch {
  const branch = new Map<string, Tree>();
  for (const { key, value } of items) {
    const name = keyOf(reading, key);
    if (branch.has(name)) refuse(reading, key, "a key for the second time");
    branch.set(name, treeOf(reading, value));
  }
  return branch;
}

function parse(reading: Reading): readonly Yaml.Document.Parsed[] {
  const { text, yaml } = reading;
  const parser = new yaml.Parser();
  const tokens: Yaml.CST.Token[] = [];
  for (const lexeme of new yaml.Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > MOST_DEPTH) return refuse(reading, undefined, "more nesting than is read here");
  }
  for (const token of parser.end()) tokens.push(token);
  return [...new yaml.Composer(OPTIONS).compose(tokens)];
}

/** The documents of the file in their order; of JSON there is one. */
export async function readStructured(
  path: string,
  text: string,
  format: "yaml" | "json",
): Promise<readonly Branch[]> {
  const yaml = await import("yaml");
  const isJson = format === "json";
  const reading: Reading = { path, text, yaml, isJson };
  return parse(reading).map(({ contents, errors }) => {
    const [fault] = errors;
    if (fault !== undefined) {
      const problem = `line ${lineAt(text, fault.pos[0])} is no ${isJson ? "JSON" : "YAML"}`;
      throw new SealError(path, "bad-syntax", problem);
    }
    if (!yaml.isMap(contents)) throw new SealError(path, "not-sealed", "it is no map with SOPS metadata");
    return branchOf(reading, contents);
  });
}
