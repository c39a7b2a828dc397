import type { Document } from "mongodb";
import { MAX_MS } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { documentOf } from "#runtime/mongodb/json";
import { writing } from "#runtime/mongodb/writer";
import type { Place } from "#runtime/mongodb/writer";

export async function insertOne(
  mongo: Mongo,
  place: Place,
  document: Document,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  return await writing(mongo, place, signal, async (collection) => {
    const { insertedId } = await collection.insertOne(document, { signal, maxTimeMS: MAX_MS } as object);
    return documentOf({ _id: insertedId }).json;
  });
}
