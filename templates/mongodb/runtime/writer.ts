import type { Collection } from "mongodb";
import { databaseOf } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { faultOf } from "#runtime/mongodb/fault";

/** The account that writes. */
const WRITER = "RW_";

export interface Place {
  readonly database: string;
  readonly collection: string;
}

/** Runs `work` on a collection with the account that writes. */
export async function writing<T>(
  mongo: Mongo,
  { database, collection }: Place,
  signal: AbortSignal,
  work: (collection: Collection) => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work((await databaseOf(mongo, WRITER, database)).collection(collection));
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error);
  }
}
