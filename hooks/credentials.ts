import { defineHook } from "#hook";
import type { LinkModule } from "#hook";

/** A credential of a link's own account; the value is nowhere in the generator before the seal step. */
export interface Credential {
  readonly name: string;
  readonly doc: string;
  /** The service can be reached without it. */
  readonly optional: boolean;
}

export interface LinkCredentials {
  readonly link: string;
  readonly component: string;
  /** Sorted by name. */
  readonly credentials: readonly Credential[];
}

export interface CredentialFacts {
  /** Every name that the emitted server may hold, its own key included; sorted. */
  readonly names: readonly string[];
  readonly own: readonly Credential[];
  readonly links: readonly LinkCredentials[];
}

const OWN: readonly Credential[] = [
  {
    name: "MCP_API_KEY",
    doc: "Bearer key that a client must send; the gateway checks the same one.",
    optional: false,
  },
];

const byName = (a: Credential, b: Credential): number => (a.name < b.name ? -1 : 1);

function credentialsOf({ link, family, environment }: LinkModule): LinkCredentials {
  const credentials = family
    .credentials(link)
    .map(({ name, doc, optional }) => ({ name: `${environment}_${name}`, doc, optional: optional === true }));
  return { link: link.id, component: link.component.name, credentials: credentials.sort(byName) };
}

/** Names of the credentials that the drawn links need. A component without a link contributes none. */
export default defineHook({
  name: "credentials",
  derive: (_topology, _facts, generation): CredentialFacts => {
    const links = generation.links.map(credentialsOf);
    const all = [...OWN, ...links.flatMap(({ credentials }) => credentials)];
    return { names: [...new Set(all.map(({ name }) => name))].sort(), own: OWN, links };
  },
});
