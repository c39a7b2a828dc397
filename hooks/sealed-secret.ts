import { defineHook, factsOf } from "#hook";
import type { Credential } from "#hook";
import type credentialsHook from "./credentials.ts";
import type routeHook from "./route.ts";

/** How the server's credentials come into the cluster. */
export interface SecretFacts {
  /** Whether the output holds them sealed: somebody can open them, and there is something to seal. */
  readonly isSealed: boolean;
  /**
   * An entry of the Secret beside the credentials, for the gateway: it compares the whole `Authorization`
   * header with what it knows of a client, so it must know the scheme too. `null` when no gateway asks for a key.
   */
  readonly gatewayKey: { readonly key: "key"; readonly of: "MCP_API_KEY"; readonly prefix: "Bearer " } | null;
}

/** A Secret that exists already, and one that another controller makes, are never sealed. */
function isSealable({ source }: Credential): boolean {
  return source.from !== "k8s" && source.from !== "external";
}

/** Whether a sealed Secret belongs to the output, and what it holds beside the credentials. */
export default defineHook({
  name: "sealed-secret",
  after: ["credentials", "route"],
  derive: (topology, facts): SecretFacts => {
    const { own, links } = factsOf<typeof credentialsHook>(facts, "credentials");
    const { routes } = factsOf<typeof routeHook>(facts, "route");
    const all = [...own, ...links.flatMap(({ credentials }) => credentials)];
    const asks = routes.some(
      ({ checksKey, kind, class: name }) => checksKey && (kind === "apisix" || name === "apisix"),
    );
    return {
      isSealed: topology.server.recipients.length > 0 && all.some(isSealable),
      gatewayKey: asks ? { key: "key", of: "MCP_API_KEY", prefix: "Bearer " } : null,
    };
  },
});
