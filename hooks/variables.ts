import { defineHook, factsOf } from "#hook";
import type { Credential, LinkModule } from "#hook";
import type credentialsHook from "./credentials.ts";
import type oauthHook from "./oauth.ts";
import type registryHook from "./registry.ts";
import type stateHook from "./state.ts";
import type workloadHook from "./workload.ts";

/** A variable of a pod that everybody may read. */
export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** A variable of a pod whose value stands in a Secret of the pod's namespace. */
export interface SecretVariable {
  readonly name: string;
  readonly secret: string;
  readonly key: string;
  /** The pod starts without it. */
  readonly optional: boolean;
  /** Nothing was drawn about where it comes from. */
  readonly implied: boolean;
}

export interface VariableFacts {
  /** Of every link, of what replicas share and of the issuer, not secret: addresses, account names, write flags. Sorted by name. */
  readonly links: readonly Setting[];
  /** Sorted by name. */
  readonly secrets: readonly SecretVariable[];
  /** Secrets of other namespaces, which no pod can read. */
  readonly unreadable: readonly Credential[];
  /** Values that a controller brings from a store, by store. */
  readonly stores: readonly ExternalStore[];
}

/** One store outside the cluster, and what comes from it into one Secret. */
export interface ExternalStore {
  readonly store: string;
  readonly secret: string;
  readonly values: readonly { readonly name: string; readonly key: string }[];
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

/** The variables of every link that are not secret, then its write flag. */
function linkSettings(
  links: readonly LinkModule[],
  flags: Readonly<Record<string, boolean>>,
): readonly Setting[] {
  const settings = links.flatMap(({ family, environment, link }) =>
    family.settings(link).map(({ name, value }): Setting => ({ name: `${environment}_${name}`, value })),
  );
  const gates = Object.entries(flags).map(([name, drawn]): Setting => ({ name, value: String(drawn) }));
  return [...settings, ...gates].sort(byName);
}

/** Each external store gets a Secret of its own, so that no two controllers write one object. */
function externalSecretName(server: string, store: string): string {
  return `${server}-external-${store.toLowerCase().replaceAll("_", "-")}`;
}

function secretVariable(
  { name, source, optional }: Credential,
  server: string,
  sealed: string,
): SecretVariable {
  const variable = { name, optional, implied: source.from === "implied" };
  switch (source.from) {
    case "k8s":
      return { ...variable, secret: source.secret, key: source.key };
    case "external":
      return { ...variable, secret: externalSecretName(server, source.store), key: name };
    default:
      return { ...variable, secret: sealed, key: name };
  }
}

function storesOf(credentials: readonly Credential[], server: string): readonly ExternalStore[] {
  const stores = new Map<string, { name: string; key: string }[]>();
  for (const { name, source } of credentials) {
    if (source.from !== "external") continue;
    stores.set(source.store, [...(stores.get(source.store) ?? []), { name, key: source.key }]);
  }
  return [...stores]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([store, values]) => ({
      store,
      secret: externalSecretName(server, store),
      values: values.sort(byName),
    }));
}

/** What the server's pod is told through its environment, and from where. */
export default defineHook({
  name: "variables",
  after: ["credentials", "oauth", "registry", "state", "workload"],
  derive: (_topology, facts, { links }): VariableFacts => {
    const { flags } = factsOf<typeof registryHook>(facts, "registry");
    const { own, links: perLink } = factsOf<typeof credentialsHook>(facts, "credentials");
    const { server, secret } = factsOf<typeof workloadHook>(facts, "workload");
    const state = factsOf<typeof stateHook>(facts, "state");
    const oauth = factsOf<typeof oauthHook>(facts, "oauth");
    const ownSettings = [...(state?.settings ?? []), ...(oauth?.settings ?? [])];
    const credentials = [...own, ...perLink.flatMap((link) => link.credentials)];
    return {
      links: [...linkSettings(links, flags), ...ownSettings].sort(byName),
      secrets: credentials.map((each) => secretVariable(each, server.name, secret)).sort(byName),
      unreadable: credentials.filter(
        ({ source }) => source.from === "k8s" && source.namespace !== server.namespace,
      ),
      stores: storesOf(credentials, server.name),
    };
  },
});
