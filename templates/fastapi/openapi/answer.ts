/** Which members of an answer a tool shows: those that the document names, and no others. */
import { MAX_DEPTH, listOf, recordOf } from "#contract";
import type { ForeignDocument, Part } from "#contract";
import type { Shape } from "#runtime/fastapi/operation";
import type { Described } from "./document.ts";

function union(all: readonly Shape[]): Shape {
  return all.reduce<Shape>(
    (sum, next) => {
      if (sum === true || next === true) return true;
      const names = [...new Set([...Object.keys(sum), ...Object.keys(next)])];
      return Object.fromEntries(
        names.map((name) => [name, union([sum[name], next[name]].filter((shape) => shape !== undefined))]),
      );
    },
    all.length === 0 ? true : {},
  );
}

function shapeOf(document: ForeignDocument, written: unknown, from?: Part): Shape {
  const part = document.part(written, from);
  if (part === undefined || part.depth > MAX_DEPTH) return true;
  const { value } = part;
  const beside: Part = { ...part, depth: part.depth - 1 };
  const all = [...listOf(value["allOf"]), ...listOf(value["anyOf"]), ...listOf(value["oneOf"])]
    .filter((each) => recordOf(each)["type"] !== "null")
    .map((each) => shapeOf(document, each, beside));
  const properties = Object.entries(recordOf(value["properties"]));
  if (properties.length > 0) {
    const visible = properties.filter(([, each]) => document.part(each, part)?.value["writeOnly"] !== true);
    all.push(Object.fromEntries(visible.map(([name, each]) => [name, shapeOf(document, each, part)])));
  }
  if (value["items"] !== undefined) all.push(shapeOf(document, value["items"], part));
  const extra = value["additionalProperties"];
  const isOpen = extra === true || typeof extra === "object";
  return isOpen ? true : union(all);
}

/** `lines.sku` and `id` as a shape. */
function shapeOfFields(fields: readonly string[]): Shape {
  return union(
    fields.map((field) => field.split(".").reduceRight<Shape>((inner, name) => ({ [name]: inner }), true)),
  );
}

/** What `x-mcp-fields` says; else the first answer that is a success and JSON; else everything. */
export function returnsOf(document: ForeignDocument, { operation }: Described): Shape {
  const fields = listOf(operation["x-mcp-fields"]).filter((field) => typeof field === "string");
  if (fields.length > 0) return shapeOfFields(fields);
  const success = Object.entries(recordOf(operation["responses"]))
    .filter(([status]) => /^2(\d\d|XX)$/i.test(status))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, written] of success) {
    const content = recordOf(document.part(written)?.value["content"]);
    const json = Object.keys(content).find((type) => /^application\/(.+\+)?json\b/.test(type));
    if (json !== undefined) return shapeOf(document, recordOf(content[json])["schema"]);
  }
  return true;
}
