import type { Document } from "mongodb";
import type { Mongo } from "#runtime/mongodb/client";
import { documentOf } from "#runtime/mongodb/json";
import { optionsOf, writing } from "#runtime/mongodb/writer";
import type { Place, WriteCall } from "#runtime/mongodb/writer";

export async function insertOne(
  mongo: Mongo,
  place: Place,
  document: Document,
  call: WriteCall,
): Promise<Readonly<Record<string, unknown>>> {
  return await writing(mongo, place, call.signal, async (collection) => {
    const { insertedId } = await collection.insertOne(document, optionsOf(call));
    return documentOf({ _id: insertedId }).json;
  });
}
