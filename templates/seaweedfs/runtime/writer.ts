import { accountOf } from "#runtime/seaweedfs/store";
import type { Account, Bucket, Store } from "#runtime/seaweedfs/store";

/** The other account of a bucket: it writes, and reads nothing. */
export function writerOf(store: Store, { env, account }: Bucket): Account {
  return accountOf(store, `${env}_WRITER`, account === "" ? "" : `${account}-writer`);
}
