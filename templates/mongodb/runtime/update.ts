import type { Document } from "mongodb";
import { ToolFault } from "#runtime/fault";
import { MAX_MS, reading } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { optionsOf, writing } from "#runtime/mongodb/writer";
import type { Place, WriteCall } from "#runtime/mongodb/writer";

/** The one document that a filter matches; none and several are faults, since one would then be changed by chance. */
export async function onlyMatch(
  mongo: Mongo,
  { database, collection }: Place,
  filter: Document,
  signal: AbortSignal,
): Promise<Document> {
  return await reading(mongo, database, signal, async (at) => {
    const found = await at
      .collection(collection)
      .find(filter, { limit: 2, maxTimeMS: MAX_MS, signal })
      .toArray();
    const [document, another] = found;
    if (document === undefined)
      throw new ToolFault("not_found", "no document matches the filter; nothing was changed");
    if (another !== undefined) {
      throw new ToolFault(
        "invalid_argument",
        "more than one document matches the filter; nothing was changed",
        {
          hint: "filter by _id",
        },
      );
    }
    return document;
  });
}

/** Changes a document that still matches; the count says whether it did, and whether anything became different. */
export async function updateOne(
  mongo: Mongo,
  place: Place,
  change: { readonly id: unknown; readonly filter: Document; readonly update: Document },
  call: WriteCall,
): Promise<{ readonly matched: number; readonly modified: number }> {
  return await writing(mongo, place, call.signal, async (collection) => {
    const filter = { $and: [{ _id: change.id }, change.filter] } as Document;
    const { matchedCount, modifiedCount } = await collection.updateOne(filter, change.update, {
      upsert: false,
      ...optionsOf(call),
    });
    return { matched: matchedCount, modified: modifiedCount };
  });
}
