import { defineHook, factsOf } from "#hook";
import type { LinkModule, Topology } from "#hook";
import type oauthHook from "./oauth.ts";
import type stateHook from "./state.ts";

type Component = Topology["components"][number];

/** Where one link's traffic goes; either addresses or the reason why there are none. */
export interface Egress {
  readonly link: string;
  readonly component: string;
  /** `host:port`, sorted. */
  readonly addresses: readonly string[];
  /** Of the pods behind the addresses. */
  readonly ports: readonly number[];
  /** Why no rule can be written; `null` when there is one. */
  readonly none: string | null;
}

export interface EgressFacts {
  readonly links: readonly Egress[];
  /** Where replicas share state; `null` where they do not. */
  readonly state: Egress | null;
  /** Where the keys of the drawn issuer are; `null` where nobody is asked for any. */
  readonly issuer: Egress | null;
  /** Every address once, sorted. */
  readonly targets: readonly string[];
}

function missingRule(component: Component, ports: readonly number[]): string | null {
  if (ports.length === 0 || component.host === null) return "the tools stay in the server";
  if (component.cidr !== null) return null;
  if (Object.keys(component.podLabels).length === 0) return "in no pod, and drawn without cidr";
  const isPlaced = component.external === null || component.namespace !== "";
  return isPlaced ? null : "external, and drawn without cidr or namespace";
}

function egressOf({ link, family }: LinkModule): Egress {
  const { component } = link;
  return wayTo(link.id, component, family.ports?.(link) ?? portsOf(component));
}

function portsOf({ port }: Component): readonly number[] {
  return port === null ? [] : [port];
}

function wayTo(link: string, component: Component, ports: readonly number[]): Egress {
  const none = missingRule(component, ports);
  const addresses = none === null ? ports.map((port) => `${component.host}:${port}`).sort() : [];
  return { link, component: component.name, addresses, ports: none === null ? ports : [], none };
}

/** The addresses that the server may open connections to: those of drawn links and no other. */
export default defineHook({
  name: "egress",
  after: ["oauth", "state"],
  derive: (_topology, facts, { links }): EgressFacts => {
    const egress = links.map(egressOf);
    const shared = factsOf<typeof stateHook>(facts, "state");
    const state = shared === null ? null : wayTo(shared.link, shared.component, portsOf(shared.component));
    const oauth = factsOf<typeof oauthHook>(facts, "oauth");
    const issuer = oauth?.signer ? wayTo(oauth.link, oauth.signer, [oauth.port]) : null;
    const every = [...egress, state, issuer].filter((way) => way !== null);
    return {
      links: egress,
      state,
      issuer,
      targets: [...new Set(every.flatMap(({ addresses }) => addresses))].sort(),
    };
  },
});
