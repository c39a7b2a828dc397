import { generateX25519Identity, identityToRecipient } from "age-encryption";

export interface AgeKey {
  readonly identity: string;
  /** What a stack file names. */
  readonly recipient: string;
}

export async function newAgeKey(): Promise<AgeKey> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}
