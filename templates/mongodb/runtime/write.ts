import type { Document } from "mongodb";
import { ToolFault } from "#runtime/fault";
import { MAX_MS, databaseOf, reading } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { faultOf } from "#runtime/mongodb/fault";
import { documentOf } from "#runtime/mongodb/json";

/** The account that writes. */
const WRITER = "RW_";

export interface Place {
  readonly database: string;
  readonly collection: string;
}

async function writing<T>(
  mongo: Mongo,
  { database, collection }: Place,
  signal: AbortSignal,
  work: (at: ReturnType<Awaited<ReturnType<typeof databaseOf>>["collection"]>) => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work((await databaseOf(mongo, WRITER, database)).collection(collection));
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error);
  }
}

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
  signal: AbortSignal,
): Promise<{ readonly matched: number; readonly modified: number }> {
  return await writing(mongo, place, signal, async (collection) => {
    const filter = { $and: [{ _id: change.id }, change.filter] } as Document;
    const { matchedCount, modifiedCount } = await collection.updateOne(filter, change.update, {
      upsert: false,
      signal,
      maxTimeMS: MAX_MS,
    } as object);
    return { matched: matchedCount, modified: modifiedCount };
  });
}
