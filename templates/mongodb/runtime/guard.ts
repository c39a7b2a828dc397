/** What a caller may ask: operators that read this database, and nothing that runs code or writes elsewhere. */
import type { Document } from "mongodb";
import { BSON } from "mongodb";
import { ToolFault } from "#runtime/fault";
import { fromJson } from "#runtime/mongodb/json";

const MAX_DEPTH = 30;
export const MAX_JSON = 65_536;
/** Operators that run code on the server. */
const CODE = new Set(["$where", "$function", "$accumulator", "$code", "$scope"]);
export const STAGES = [
  "$addFields",
  "$bucket",
  "$bucketAuto",
  "$count",
  "$densify",
  "$facet",
  "$fill",
  "$geoNear",
  "$graphLookup",
  "$group",
  "$limit",
  "$lookup",
  "$match",
  "$project",
  "$redact",
  "$replaceRoot",
  "$replaceWith",
  "$sample",
  "$set",
  "$setWindowFields",
  "$skip",
  "$sort",
  "$sortByCount",
  "$unionWith",
  "$unset",
  "$unwind",
] as const;
const UPDATES = [
  "$addToSet",
  "$bit",
  "$currentDate",
  "$inc",
  "$max",
  "$min",
  "$mul",
  "$pop",
  "$pull",
  "$pullAll",
  "$push",
  "$rename",
  "$set",
  "$unset",
] as const;

function refuse(message: string, hint?: string): ToolFault {
  return new ToolFault("denied", message, hint === undefined ? {} : { hint });
}

function isPlain(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("_bsontype" in value);
}

/** Refuses code, wherever it stands, and nesting that no query needs. */
function checkValue(value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw new ToolFault("invalid_argument", `nested deeper than ${MAX_DEPTH}`);
  if (value instanceof BSON.Code) throw refuse("code is not run");
  if (typeof value !== "object" || value === null || value instanceof Date) return;
  if ("_bsontype" in value) return;
  if (Array.isArray(value)) {
    for (const member of value) checkValue(member, depth + 1);
    return;
  }
  for (const [name, member] of Object.entries(value)) {
    if (CODE.has(name)) throw refuse(`${name} is not allowed: it runs code on the server`);
    checkValue(member, depth + 1);
  }
}

function checkSize(name: string, value: unknown): void {
  if (JSON.stringify(value).length > MAX_JSON)
    throw new ToolFault("too_large", `${name} is longer than ${MAX_JSON} characters`);
}

/** A filter, projection, sort or document as the server takes it. */
export function objectOf(name: string, written: unknown): Document {
  checkSize(name, written);
  checkValue(written);
  const value = fromJson(name, written);
  if (!isPlain(value)) throw new ToolFault("invalid_argument", `${name} is not an object`);
  checkValue(value);
  return value;
}

const COLLECTION = /^[^$\u0000]{1,200}$/;

/** Refuses collections of the server itself, where accounts and profiles stand. */
export function checkCollection(name: unknown): string {
  if (typeof name !== "string" || !COLLECTION.test(name))
    throw new ToolFault("invalid_argument", "this cannot be the name of a collection");
  if (name === "system" || name.startsWith("system."))
    throw refuse(`${name} is one of the server's own collections`);
  return name;
}

/** Another collection that a stage reads: of this database, by its name alone. */
function checkSource(stage: string, from: unknown): void {
  if (from === undefined) return;
  if (typeof from !== "string") throw refuse(`${stage} reads collections of the same database only`);
  checkCollection(from);
}

function stagesOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ToolFault("invalid_argument", "a pipeline is a list of stages");
  return value;
}

function checkStage(stage: unknown): void {
  const [name, ...others] = isPlain(stage) ? Object.keys(stage) : [];
  if (!isPlain(stage) || name === undefined || others.length > 0)
    throw new ToolFault("invalid_argument", "a stage is an object with one $name");
  if (!(STAGES as readonly string[]).includes(name))
    throw refuse(`the stage ${name.slice(0, 50)} is not allowed`, `stages that are: ${STAGES.join(", ")}`);
  const body: unknown = stage[name];
  if (name === "$facet" && isPlain(body))
    for (const inner of Object.values(body)) for (const each of stagesOf(inner)) checkStage(each);
  if (name === "$unionWith" && typeof body === "string") checkCollection(body);
  if (!["$lookup", "$graphLookup", "$unionWith"].includes(name) || !isPlain(body)) return;
  checkSource(name, body["from"]);
  checkSource(name, body["coll"]);
  if ("db" in body) throw refuse(`${name} reads collections of the same database only`);
  for (const each of stagesOf(body["pipeline"])) checkStage(each);
}

/** An aggregation as the server takes it; stages that write, or that tell about the server, are refused. */
export function pipelineOf(written: readonly unknown[]): Document[] {
  checkSize("pipeline", written);
  for (const stage of written) checkStage(stage);
  return written.map((stage) => objectOf("pipeline", stage));
}

/** An update of fields; a whole document or a pipeline in its place would lose what it does not name. */
export function updateOf(written: unknown): Document {
  const update = objectOf("update", written);
  const names = Object.keys(update);
  const wrong = names.find((name) => !(UPDATES as readonly string[]).includes(name));
  if (names.length === 0 || wrong !== undefined) {
    throw refuse(
      `${wrong === undefined ? "an empty update" : wrong.slice(0, 50)} is not allowed in update`,
      `use ${UPDATES.join(", ")}`,
    );
  }
  if (names.some((name) => !isPlain(update[name])))
    throw new ToolFault("invalid_argument", "an operator takes an object");
  return update;
}
