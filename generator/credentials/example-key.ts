import { sha256 } from "../tree/file-tree.ts";

/**
 * The key pair of the examples is public: whoever reads this repository can open what is sealed to it. So it
 * seals nothing but the stacks that come with this program.
 */
export const EXAMPLE_RECIPIENT = "age1hu8jm079wvcdsdnzcz004qg94ug7nsgdc63n90mrpl9d2vvtmcrqjvcla9";
const IDENTITY_DIGEST = "91319602ed7783d8f4e0ac47024710d72449237c9f2f0d85ba50b15f4eed516e";

export function isExampleIdentity(identity: string): boolean {
  return sha256(identity) === IDENTITY_DIGEST;
}
