import type { Collection } from "mongodb";
import { markerLine } from "#runtime/marker";
import type { CallContext } from "#runtime/tool";
import { databaseOf, MAX_MS } from "#runtime/mongodb/client";
import type { Mongo } from "#runtime/mongodb/client";
import { faultOf } from "#runtime/mongodb/fault";

/** The account that writes. */
const WRITER = "RW_";

export interface Place {
  readonly database: string;
  readonly collection: string;
}

export type WriteCall = Pick<CallContext<Mongo>, "signal" | "marker">;

/** A marker becomes the comment that the server logs and profiles beside the command. */
export function optionsOf({ signal, marker }: WriteCall): {
  readonly signal: AbortSignal;
  readonly maxTimeMS: number;
  readonly comment?: string;
} {
  return { signal, maxTimeMS: MAX_MS, ...(marker === undefined ? {} : { comment: markerLine(marker) }) };
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
