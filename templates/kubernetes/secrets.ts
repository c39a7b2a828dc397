import { factsOf } from "#hook";
import type { Facts, Topology } from "#hook";
import type sealedSecretHook from "../../hooks/sealed-secret.ts";
import type variablesHook from "../../hooks/variables.ts";
import type { ExternalStore } from "../../hooks/variables.ts";

/** Written by the seal step, once every other file is known. */
export const SEALED = "k8s/secret.sops.yaml";
const CHECKSUM_PATCH = "k8s/credentials-checksum.yaml";
export const GENERATOR = "k8s/secret-generator.yaml";

/** How the sealed Secret gets into the cluster: what the kustomization says of it. */
export interface SecretDelivery {
  readonly resources: readonly string[];
  readonly generators: readonly string[];
  readonly patches: readonly string[];
  /** Neither Flux nor Argo CD: a person opens it, and the kustomization must not hold what nobody opens. */
  readonly isSealedApart: boolean;
}

export function secretDelivery({ server }: Topology, facts: Facts, hasPods: boolean): SecretDelivery {
  const { isSealed } = factsOf<typeof sealedSecretHook>(facts, "sealed-secret");
  return {
    resources: isSealed && server.gitops === "flux" ? [SEALED] : [],
    generators: isSealed && server.gitops === "argocd" ? [GENERATOR] : [],
    patches: isSealed && hasPods ? [CHECKSUM_PATCH] : [],
    isSealedApart: isSealed && server.gitops === "none",
  };
}

/** Each store with what the gateway compares, where the server's own key comes from it. */
export function storeViews(
  facts: Facts,
): readonly (ExternalStore & { readonly gatewayKey: string | null })[] {
  const { gatewayKey } = factsOf<typeof sealedSecretHook>(facts, "sealed-secret");
  const { stores } = factsOf<typeof variablesHook>(facts, "variables");
  return stores.map((store) => {
    const holdsKey = gatewayKey !== null && store.values.some(({ name }) => name === gatewayKey.of);
    return { ...store, gatewayKey: holdsKey ? `${gatewayKey.prefix}{{ .${gatewayKey.of} }}` : null };
  });
}
