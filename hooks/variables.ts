import { defineHook, factsOf } from "#hook";
import type { Credential, LinkModule } from "#hook";
import type credentialsHook from "./credentials.ts";
import type registryHook from "./registry.ts";
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
}

export interface VariableFacts {
  /** Of every link, not secret: addresses, account names, write flags. Sorted by name. */
  readonly links: readonly Setting[];
  /** Sorted by name. */
  readonly secrets: readonly SecretVariable[];
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
export function externalSecretName(server: string, store: string): string {
  return `${server}-${store.toLowerCase().replaceAll("_", "-")}`;
}

function secretVariable(
  { name, source, optional }: Credential,
  server: string,
  sealed: string,
): SecretVariable {
  switch (source.from) {
    case "k8s":
      return { name, secret: source.secret, key: source.key, optional };
    case "external":
      return { name, secret: externalSecretName(server, source.store), key: name, optional };
    default:
      return { name, secret: sealed, key: name, optional };
  }
}

/** What the server's pod is told through its environment, and from where. */
export default defineHook({
  name: "variables",
  after: ["credentials", "registry", "workload"],
  derive: (_topology, facts, { links }): VariableFacts => {
    const { flags } = factsOf<typeof registryHook>(facts, "registry");
    const { own, links: perLink } = factsOf<typeof credentialsHook>(facts, "credentials");
    const { server, secret } = factsOf<typeof workloadHook>(facts, "workload");
    const credentials = [...own, ...perLink.flatMap((link) => link.credentials)];
    return {
      links: linkSettings(links, flags),
      secrets: credentials.map((each) => secretVariable(each, server.name, secret)).sort(byName),
    };
  },
});
