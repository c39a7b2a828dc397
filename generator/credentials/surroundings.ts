import type { Topology } from "../model/topology.ts";
import type { Randomness } from "../seal/seal.ts";
import type { FileSystem } from "../tree/disk.ts";
import type { FileTree } from "../tree/file-tree.ts";
import type { SealFacts } from "./credential.ts";
import type { Variables } from "./variables.ts";

/** What a person asked for beside keeping the sealed files up to date. */
export interface SealHow {
  /** A new data key for every file. */
  readonly rotate?: boolean;
  /** Seal anew from the sources, where no private key can open what is there. */
  readonly reseal?: boolean;
  /** Names whose generated value is to be made anew. */
  readonly regenerate?: ReadonlySet<string>;
}

/** What sealing needs to know beside the output itself. */
export interface SealSurroundings {
  readonly fs: FileSystem;
  readonly variables: Variables;
  /** Private keys; may be empty. */
  readonly identities: readonly string[];
  /** Where the stack file stands, and what around it is under version control. */
  readonly folder: string;
  readonly repository: string | undefined;
  /** Whether the stack is one of the examples that come with this program. */
  readonly isExample: boolean;
  readonly randomness: Randomness;
  readonly how: SealHow;
}

/** An output with everything but what is sealed. */
export interface OutputToSeal {
  readonly root: string;
  readonly topology: Topology;
  readonly tree: FileTree;
  readonly seal: SealFacts;
}
