import {
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
  isMap,
  isPair,
  isScalar,
  isSeq,
} from "yaml";
import { quoted } from "../diagnostics/report.ts";
import { type Fault, codePointName, findUnreadable, holdsUnreadable, maxDepth, maxFaults } from "./text.ts";
import type { Wanted } from "./wanted.ts";

/** Collects the faults of a tree while it becomes plain data. */
interface Walk {
  readonly faults: Fault[];
  readonly path: (string | number)[];
}

type TreeNode = ParsedNode | null;

const octalLooking = /^[-+]?0[0-9]/;

/** Keys that would reach the prototype of an object, or merge one map into another. */
const forbiddenKeys: ReadonlyMap<string, string> = new Map([
  ["<<", "merge keys are not read: write the entries out"],
  ["__proto__", "this key is reserved: choose another name"],
  ["constructor", "this key is reserved: choose another name"],
  ["prototype", "this key is reserved: choose another name"],
]);

function report(walk: Walk, code: Fault["code"], offset: number, message: string): void {
  if (walk.faults.length < maxFaults) walk.faults.push({ code, message, offset, path: [...walk.path] });
}

function startOf(node: TreeNode, otherwise: number): number {
  return node?.range[0] ?? otherwise;
}

/** Escapes in double quotes can make characters that the text itself may not hold. */
function checkText(walk: Walk, text: string, offset: number): void {
  const at = findUnreadable(text);
  if (at >= 0) {
    const name = codePointName(text[at] ?? "");
    report(walk, "E-YAML", offset, `the escape for ${name} may not stand in a stack file: remove it`);
  } else if (holdsUnreadable(text)) {
    report(walk, "E-YAML", offset, "half of a surrogate pair is no character: write the character itself");
  }
}

function checkNumber(walk: Walk, value: number, source: string, offset: number): void {
  if (octalLooking.test(source)) {
    report(
      walk,
      "E-YAML",
      offset,
      "a number that begins with 0 means different things to different readers: quote it",
    );
  } else if (!Number.isFinite(value)) {
    report(walk, "E-YAML", offset, "this is not a number that can be written in JSON: quote it");
  } else if (Number.isInteger(value) && !Number.isSafeInteger(value) && !/[.eE]/.test(source)) {
    report(walk, "E-YAML", offset, "this number is too large to keep all its digits: quote it");
  }
}

function convertScalar(walk: Walk, node: Scalar.Parsed): unknown {
  const { value, source, range } = node;
  if (typeof value === "string") checkText(walk, value, range[0]);
  if (typeof value === "number") checkNumber(walk, value, source, range[0]);
  return value;
}

/** The text of a key, or `undefined` when it cannot be one. */
function convertKey(walk: Walk, node: TreeNode, offset: number): string | undefined {
  const start = startOf(node, offset);
  if (!isScalar(node) || typeof node.value !== "string") {
    report(walk, "E-YAML", start, "a key must be text: put it in quotes, or write the missing key");
    return undefined;
  }
  checkText(walk, node.value, start);
  const message = forbiddenKeys.get(node.value);
  if (message === undefined) return node.value;
  report(walk, "E-YAML", start, message);
  return undefined;
}

function convertMap(walk: Walk, node: YAMLMap.Parsed, depth: number): Readonly<Record<string, unknown>> {
  const map: Record<string, unknown> = {};
  for (const { key: keyNode, value } of node.items) {
    const key = convertKey(walk, keyNode, node.range[0]);
    walk.path.push(key ?? "?");
    if (key !== undefined && Object.hasOwn(map, key)) {
      report(
        walk,
        "E-DUP",
        keyNode.range[0],
        `${quoted(key)} is written twice in this map: make one of the two`,
      );
    }
    const converted = convertNode(walk, value, depth + 1);
    if (key !== undefined && !Object.hasOwn(map, key)) map[key] = converted;
    walk.path.pop();
  }
  return map;
}

function convertList(walk: Walk, node: YAMLSeq.Parsed, depth: number): readonly unknown[] {
  return node.items.map((item, index) => {
    walk.path.push(index);
    const converted = convertNode(walk, isPair(item) ? null : item, depth + 1);
    walk.path.pop();
    return converted;
  });
}

function convertNode(walk: Walk, node: TreeNode, depth: number): unknown {
  if (isScalar(node)) return convertScalar(walk, node);
  if (!isMap(node) && !isSeq(node)) return null;
  if (depth > maxDepth) {
    const message = `maps and lists are nested deeper than ${maxDepth} levels: flatten them`;
    report(walk, "E-LIMIT", node.range[0], message);
    return null;
  }
  return isMap(node) ? convertMap(walk, node, depth) : convertList(walk, node, depth);
}

/** A parsed tree as plain data, with everything that plain data cannot say reported as a fault. */
export function convertTree(root: TreeNode): { readonly value: unknown; readonly faults: readonly Fault[] } {
  const walk: Walk = { faults: [], path: [] };
  if (root === null || (isScalar(root) && root.value === null)) {
    report(walk, "E-YAML", startOf(root, 0), "the file is empty: begin with apiVersion: topology/v1");
    return { value: null, faults: walk.faults };
  }
  if (!isMap(root)) report(walk, "E-YAML", root.range[0], "the file must be a map: write key: value lines");
  const value = convertNode(walk, root, 1);
  return { value, faults: walk.faults };
}

/** Fills in the offsets of the wanted values below `node`. */
export function locateInTree(node: TreeNode, wanted: Wanted): void {
  if (node !== null && node.range[1] > node.range[0]) wanted.value = node.range[0];
  if (wanted.children.size === 0) return;
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      const place = isScalar(key) ? wanted.children.get(String(key.value)) : undefined;
      if (place === undefined) continue;
      place.key = key.range[0];
      locateInTree(value, place);
    }
  } else if (isSeq(node)) {
    for (const [index, place] of wanted.children) {
      const item = typeof index === "number" ? node.items[index] : undefined;
      if (item !== undefined && !isPair(item)) locateInTree(item, place);
    }
  }
}
