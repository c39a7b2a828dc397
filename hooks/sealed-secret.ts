import { defineHook, factsOf } from "#hook";
import type { Credential, DerivedEntry, Restarted } from "#hook";
import type credentialsHook from "./credentials.ts";
import type routeHook from "./route.ts";
import type workloadHook from "./workload.ts";

/** How the server's credentials come into the cluster. */
export interface SecretFacts {
  /** Whether the output holds them sealed: somebody can open them, and there is something to seal. */
  readonly isSealed: boolean;
  /**
   * An entry of the Secret beside the credentials, for the gateway: it compares the whole `Authorization`
   * header with what it knows of a client, so it must know the scheme too. `null` when no gateway asks for a key.
   */
  readonly gatewayKey: DerivedEntry | null;
  /** Deployments of this output whose pods read the Secret; those of an operator are not its own. */
  readonly restarted: readonly Restarted[];
}

/** A Secret that exists already, and one that another controller makes, are never sealed. */
function isSealable({ source }: Credential): boolean {
  return source.from !== "k8s" && source.from !== "external";
}

/** Whether a sealed Secret belongs to the output, and what it holds beside the credentials. */
export default defineHook({
  name: "sealed-secret",
  after: ["credentials", "route", "workload"],
  derive: (topology, facts): SecretFacts => {
    const { own: keys, links } = factsOf<typeof credentialsHook>(facts, "credentials");
    const { server, agent } = factsOf<typeof workloadHook>(facts, "workload");
    const own = topology.server.delivery === "kubernetes" ? [server, agent] : [agent];
    const { routes } = factsOf<typeof routeHook>(facts, "route");
    const all = [...keys, ...links.flatMap((link) => link.credentials)];
    const asks = routes.some(
      ({ checksKey, kind, class: name }) => checksKey && (kind === "apisix" || name === "apisix"),
    );
    return {
      isSealed: topology.server.recipients.length > 0 && all.some(isSealable),
      restarted: own.map(({ name, folder }) => ({ deployment: name, folder })),
      gatewayKey: asks ? { key: "key", of: "MCP_API_KEY", prefix: "Bearer " } : null,
    };
  },
});
