import { defineHook, factsOf } from "#hook";
import type {
  ClusterSecret,
  Credential,
  CredentialFacts,
  LinkCredentials,
  LinkModule,
  Topology,
} from "#hook";
import { STATE_PASSWORD } from "./state.ts";
import type stateHook from "./state.ts";
import type workloadHook from "./workload.ts";
import type { WorkloadFacts } from "./workload.ts";

/** 60 letters and digits: more than 128 bits for a password, more than 256 for a key that is compared by digest. */
const PASSWORD_LENGTH = 32;
const KEY_LENGTH = 44;

type Spec = ReturnType<LinkModule["family"]["credentials"]>[number];

function ownCredentials({ access, components }: Topology, hasState: boolean): readonly Credential[] {
  const server = components.find(({ name }) => name === "mcp");
  const path = server?.path ?? ["links", "mcp"];
  const state: Credential = {
    name: STATE_PASSWORD,
    doc: "Password of the server's own account where its replicas share state.",
    optional: false,
    source: { from: "implied", name: STATE_PASSWORD },
    length: PASSWORD_LENGTH,
    path,
  };
  const key: Credential = {
    name: "MCP_API_KEY",
    doc: "Bearer key that a client must send; the gateway checks the same one.",
    optional: false,
    source: server?.secrets["api_key"] ?? { from: "implied", name: "MCP_API_KEY" },
    length: KEY_LENGTH,
    path,
  };
  return [...(access.oauth?.takesKeys === false ? [] : [key]), ...(hasState ? [state] : [])];
}

function clusterSecret({ stack }: Topology, { server, secret }: WorkloadFacts): ClusterSecret {
  return {
    name: secret,
    namespace: server.namespace,
    labels: {
      "app.kubernetes.io/name": server.name,
      "app.kubernetes.io/part-of": stack,
      "app.kubernetes.io/managed-by": "topogate",
    },
  };
}

const byName = (a: Credential, b: Credential): number => (a.name < b.name ? -1 : 1);

function lengthOf(spec: Spec): number | null {
  if (spec.issued === true || spec.optional === true) return null;
  return spec.key === true ? KEY_LENGTH : PASSWORD_LENGTH;
}

function credentialsOf({ link, family, environment }: LinkModule): LinkCredentials {
  const credentials = family.credentials(link).map((spec): Credential => {
    const name = `${environment}_${spec.name}`;
    return {
      name,
      doc: spec.doc,
      optional: spec.optional === true,
      ...(spec.conditional === true ? { conditional: true } : {}),
      source: link.credentials[name] ?? { from: "implied", name },
      length: lengthOf(spec),
      path: link.path,
    };
  });
  return { link: link.id, component: link.component.name, credentials: credentials.sort(byName) };
}

/** Names of the credentials that the drawn links need. A component without a link contributes none. */
export default defineHook({
  name: "credentials",
  after: ["state", "workload"],
  derive: (topology, facts, generation): CredentialFacts => {
    const workload = factsOf<typeof workloadHook>(facts, "workload");
    const own = ownCredentials(topology, factsOf<typeof stateHook>(facts, "state") !== null);
    const links = generation.links.map(credentialsOf);
    const all = [...own, ...links.flatMap(({ credentials }) => credentials)];
    const names = [...new Set(all.map(({ name }) => name))].sort();
    return { secret: clusterSecret(topology, workload), names, own, links };
  },
});
