import { sha256 } from "../tree/file-tree.ts";

/** A name and its value as it stands in the sealed file. */
export interface SealedEntry {
  readonly name: string;
  readonly sealed: string;
}

/**
 * Changes when and only when a credential does, so that pods restart for that alone. It is taken from the
 * sealed values, which are public, and so gives nothing to guess at; another recipient does not change it.
 */
export function credentialsChecksum(entries: readonly SealedEntry[]): string {
  const lines = entries.map(({ name, sealed }) => `${name}=${sealed}\n`).sort();
  return sha256(lines.join(""));
}

/** A patch for kustomize, in a file of its own: the one thing in the manifests that a first seal makes random. */
export function checksumPatch(deployments: readonly string[], namespace: string, checksum: string): string {
  return deployments.map((name) => patchOf(name, namespace, checksum)).join("---\n");
}

function patchOf(deployment: string, namespace: string, checksum: string): string {
  return `apiVersion: "apps/v1"
kind: "Deployment"
metadata:
  name: ${JSON.stringify(deployment)}
  namespace: ${JSON.stringify(namespace)}
spec:
  template:
    metadata:
      annotations:
        checksum/credentials: ${JSON.stringify(checksum)}
`;
}
