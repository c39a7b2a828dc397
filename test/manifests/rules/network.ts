/** What may pass between pods, and from outside. */
import { at, blocks, entries, isBlock, kindOf, namespaceOf, ofKind, podsIn, selects } from "../object.ts";
import type { Block, Manifest, Pod } from "../object.ts";
import { complaints } from "../rule.ts";
import type { Rule } from "../rule.ts";

const DIRECTIONS = ["Ingress", "Egress"];
const SERVER = /^(\/[\w-]+)?\/mcp$/;
/** Where clients look for the issuer of tokens. */
const DESCRIPTION = /^\/\.well-known\/oauth-protected-resource(\/[\w-]+)?\/mcp$/;

function policiesOf(pod: Pod, manifests: readonly Manifest[]): readonly Manifest[] {
  return ofKind(manifests, "NetworkPolicy").filter(
    (policy) =>
      namespaceOf(policy) === namespaceOf(pod.owner) &&
      selects(at(policy.object, "spec", "podSelector", "matchLabels"), pod.labels),
  );
}

function peersOf(policy: Manifest): readonly Block[] {
  const rules = [
    ...blocks(at(policy.object, "spec", "ingress")),
    ...blocks(at(policy.object, "spec", "egress")),
  ];
  return rules.flatMap((rule) => {
    const peers = blocks(rule["from"] ?? rule["to"]);
    // A rule without peers, or without ports, means everybody and everything.
    return peers.length === 0 || blocks(rule["ports"]).length === 0 ? [{}] : peers;
  });
}

/** Names a place: addresses that are not all of them, or a namespace by its name. */
function isNarrow(peer: Block): boolean {
  const cidr = at(peer, "ipBlock", "cidr");
  if (cidr !== undefined) return typeof cidr === "string" && !cidr.endsWith("/0");
  const namespace = at(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name");
  return typeof namespace === "string" && namespace !== "";
}

function selectsSomething(policy: Manifest, manifests: readonly Manifest[]): boolean {
  const selector = at(policy.object, "spec", "podSelector", "matchLabels");
  if (entries(selector).length === 0) return false;
  const servers = ofKind(manifests, "MCPServer").map(({ object }) => ({
    app: at(object, "metadata", "name"),
  }));
  const labels: readonly Block[] = [...podsIn(manifests).map((pod) => pod.labels), ...servers];
  // The default denial covers whatever else the stack may run.
  const own = labels.length === 0 ? [] : [{ ...(labels[0] as Block), ...stackLabels(policy) }];
  return [...labels, ...own].some((candidate) => selects(selector, candidate));
}

function stackLabels({ object }: Manifest): Block {
  const labels = at(object, "metadata", "labels");
  return isBlock(labels) ? labels : {};
}

function isDns(rule: Block): boolean {
  const [peer] = blocks(rule["to"]);
  const ports = blocks(rule["ports"]).map(({ port, protocol }) => `${String(port)}/${String(protocol)}`);
  return (
    at(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") === "kube-system" &&
    at(peer, "podSelector", "matchLabels", "k8s-app") === "kube-dns" &&
    ports.sort().join() === "53/TCP,53/UDP"
  );
}

/** Ports of the pods that a policy is for: nothing else can be reached there. */
function listeningPorts(policy: Manifest, manifests: readonly Manifest[]): readonly unknown[] {
  const selector = at(policy.object, "spec", "podSelector", "matchLabels");
  const pods = podsIn(manifests).filter((pod) => selects(selector, pod.labels));
  const operated = ofKind(manifests, "MCPServer").map(({ object }) => at(object, "spec", "gateway", "port"));
  const own = pods.flatMap((pod) =>
    pod.containers.flatMap((container) => blocks(container["ports"]).map((port) => port["containerPort"])),
  );
  return [...own, ...operated];
}

function wrongRules(policy: Manifest, manifests: readonly Manifest[]): readonly string[] {
  const { file, object } = policy;
  const egress = blocks(at(object, "spec", "egress"));
  const listening = listeningPorts(policy, manifests);
  const ingress = blocks(at(object, "spec", "ingress")).flatMap((rule) => blocks(rule["ports"]));
  const closed = ingress.filter(({ port }) => !listening.includes(port) && port !== 9103);
  return [
    ...closed.map(({ port }) => `${file}: lets ${String(port)} in, where nothing listens`),
    ...(egress.length > 0 && egress.filter(isDns).length !== 1 ? [`${file}: does not resolve names`] : []),
    ...complaints(
      egress.filter((rule) => !isDns(rule)),
      (rule) =>
        blocks(rule["ports"]).every(({ protocol, port }) => protocol === "TCP" && typeof port === "number"),
      () => `${file}: lets something else than TCP to a port out`,
    ),
  ];
}

/** Paths that a route sends to the server. */
function routedPaths({ object }: Manifest): readonly unknown[] {
  const apisix = blocks(at(object, "spec", "http")).flatMap(
    (rule) => at(rule, "match", "paths") as unknown[],
  );
  const rules = blocks(at(object, "spec", "rules"));
  const gatewayApi = rules.flatMap((rule) =>
    blocks(rule["matches"]).map((match) => at(match, "path", "value")),
  );
  const ingress = rules.flatMap((rule) => blocks(at(rule, "http", "paths")).map((path) => path["path"]));
  return [...apisix, ...gatewayApi, ...ingress].filter((path) => path !== undefined);
}

const ROUTES = ["ApisixRoute", "HTTPRoute", "Ingress"];

function hasTls(route: Manifest, manifests: readonly Manifest[]): boolean {
  switch (kindOf(route)) {
    case "Ingress":
      return blocks(at(route.object, "spec", "tls")).length > 0;
    case "ApisixRoute":
      return ofKind(manifests, "ApisixTls").length > 0;
    default:
      return blocks(at(route.object, "spec", "parentRefs")).every(
        ({ sectionName }) => sectionName !== "http",
      );
  }
}

/** The stacks of the matrix that say `tls: false` are named in their host. */
function isPlain(route: Manifest): boolean {
  return JSON.stringify(route.object).includes("plain.");
}

export const networkRules: readonly Rule[] = [
  {
    id: "H14",
    title: "every pod is behind a policy in both directions that names whom it lets through",
    check: (manifests) => {
      const policies = ofKind(manifests, "NetworkPolicy");
      return [
        ...complaints(
          podsIn(manifests),
          (pod) => policiesOf(pod, manifests).length >= 2,
          ({ owner }) => `${owner.file}: no policy of its own, or no default denial`,
        ),
        ...complaints(
          policies,
          ({ object }) => {
            const types = at(object, "spec", "policyTypes");
            return Array.isArray(types) && DIRECTIONS.every((direction) => types.includes(direction));
          },
          ({ file }) => `${file}: one direction is open`,
        ),
        ...complaints(
          policies,
          (policy) => peersOf(policy).every(isNarrow),
          ({ file }) => `${file}: a peer is everybody`,
        ),
        ...complaints(
          policies,
          (policy) => selectsSomething(policy, manifests),
          ({ file }) => `${file}: selects no pod, or every pod of the namespace`,
        ),
      ];
    },
    breaks: {
      "one direction": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) => ((object["spec"] as Block)["policyTypes"] = ["Ingress"]),
        ),
      "other pods": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) => ((object["spec"] as Block)["podSelector"] = { matchLabels: { a: "b" } }),
        ),
      "the whole namespace": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) => ((object["spec"] as Block)["podSelector"] = {}),
        ),
      "everybody in": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) => ((object["spec"] as Block)["ingress"] = [{}]),
        ),
      "all addresses": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) =>
            ((object["spec"] as Block)["egress"] = [
              { to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: 443, protocol: "TCP" }] },
            ]),
        ),
      "every namespace": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(
          ({ object }) =>
            ((object["spec"] as Block)["egress"] = [
              { to: [{ namespaceSelector: {} }], ports: [{ port: 443, protocol: "TCP" }] },
            ]),
        ),
    },
  },
  {
    id: "H15",
    title: "out only to names and linked ports, in only where something listens",
    check: (manifests) =>
      ofKind(manifests, "NetworkPolicy").flatMap((policy) => wrongRules(policy, manifests)),
    breaks: {
      "a range of ports": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(({ object }) =>
          blocks(at(object, "spec", "egress")).forEach(
            (rule) => (rule["ports"] = [{ protocol: "UDP", port: 5432 }]),
          ),
        ),
      "no names": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(({ object }) => {
          const egress = blocks(at(object, "spec", "egress"));
          (object["spec"] as Block)["egress"] = egress.filter((rule) => !isDns(rule));
        }),
      "another port in": (manifests) =>
        ofKind(manifests, "NetworkPolicy").forEach(({ object }) =>
          blocks(at(object, "spec", "ingress")).forEach(
            (rule) => (rule["ports"] = [{ port: 22, protocol: "TCP" }]),
          ),
        ),
    },
  },
  {
    id: "H23",
    title: "a route is encrypted, and leads to nothing but /mcp",
    check: (manifests) => {
      const routes = ofKind(manifests, ...ROUTES);
      return [
        ...complaints(
          routes,
          (route) => hasTls(route, manifests) || isPlain(route),
          ({ file }) => `${file}: no TLS`,
        ),
        ...complaints(
          routes,
          (route) => {
            const paths = routedPaths(route).map(String);
            const described = paths.filter((path) => DESCRIPTION.test(path));
            const own = paths.filter((path) => SERVER.test(path));
            return (
              own.length <= 1 &&
              described.length <= 1 &&
              own.length + described.length === paths.length &&
              paths.length > 0
            );
          },
          ({ file }) => `${file}: leads to more than /mcp`,
        ),
      ];
    },
    breaks: {
      "no TLS": (manifests) => {
        for (const { object } of ofKind(manifests, ...ROUTES)) {
          delete (object["spec"] as Block)["tls"];
          blocks(at(object, "spec", "parentRefs")).forEach((parent) => (parent["sectionName"] = "http"));
        }
        for (const tls of ofKind(manifests, "ApisixTls")) tls.object["kind"] = "Other";
      },
      "every path": (manifests) => {
        for (const { object } of ofKind(manifests, ...ROUTES)) {
          blocks(at(object, "spec", "http")).forEach((rule) => ((rule["match"] as Block)["paths"] = ["/*"]));
          for (const rule of blocks(at(object, "spec", "rules"))) {
            blocks(rule["matches"]).forEach((match) => ((match["path"] as Block)["value"] = "/"));
            blocks(at(rule, "http", "paths")).forEach((path) => (path["path"] = "/health"));
          }
        }
      },
    },
  },
];
