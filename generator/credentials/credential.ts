/** What the hook `credentials` says: names and sources, never a value. */
import type { Path, SecretReference } from "../model/topology.ts";

/** One entry of the emitted server's credentials. */
export interface Credential {
  /** The variable: `MCP_VALKEY_PASSWORD`. */
  readonly name: string;
  readonly doc: string;
  /** The server starts and works without it. */
  readonly optional: boolean;
  /** The tools themselves say when it is needed and missing. */
  readonly conditional?: true;
  /** Where the value comes from; `implied` when nothing was written. */
  readonly source: SecretReference;
  /** Characters of the value that is made when no source has one; `null` when only the service can make it. */
  readonly length: number | null;
  /** What it belongs to in the stack file. */
  readonly path: Path;
}

export interface LinkCredentials {
  readonly link: string;
  readonly component: string;
  /** Sorted by name. */
  readonly credentials: readonly Credential[];
}

/** The one Kubernetes Secret that the pods of a stack read. */
export interface ClusterSecret {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface CredentialFacts {
  readonly secret: ClusterSecret;
  /** Every name that the emitted server may hold, its own key included; sorted. */
  readonly names: readonly string[];
  readonly own: readonly Credential[];
  readonly links: readonly LinkCredentials[];
}

/** An entry of the Secret that is made from a credential: what a gateway compares, for example. */
export interface DerivedEntry {
  /** In small letters, so that it is never taken for a variable. */
  readonly key: string;
  /** The credential whose value follows `prefix`. */
  readonly of: string;
  readonly prefix: string;
}

/** What restarts when a credential changes, as long as the output has files in its folder. */
export interface Restarted {
  readonly deployment: string;
  readonly folder: string;
}

/** What the sealing step works from. */
export interface SealFacts {
  readonly credentials: CredentialFacts;
  /** `null` when the Secret holds the credentials and nothing else. */
  readonly gatewayKey: DerivedEntry | null;
  readonly restarted: readonly Restarted[];
}

/** The hooks that say it: names and sources, and what the Secret holds beside them. */
export const CREDENTIALS_HOOK = "credentials";
export const SECRET_HOOK = "sealed-secret";

/** All of them, each name once, sorted: the order of the sealed files. */
export function allCredentials({ own, links }: CredentialFacts): readonly Credential[] {
  const all = [...own, ...links.flatMap(({ credentials }) => credentials)];
  const byName = new Map(all.map((credential) => [credential.name, credential]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
