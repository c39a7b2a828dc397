import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editorSchema } from "../../generator/load/editor-schema.ts";
import { readIssuerKeys } from "../../generator/load/issuer-keys.ts";
import { catalog, loadText, topologyOf, treeOf } from "../harness/in-process.ts";
import { variablesOf } from "./mounted.ts";
import { at, blocks, kindOf, ofKind, podsIn } from "./object.ts";
import type { Block } from "./object.ts";
import { rules } from "./rules/all.ts";
import { applied, outputOfText } from "./stacks.ts";
import type { Output } from "./stacks.ts";

const METADATA = "/.well-known/oauth-protected-resource";
const FILE = "    issuer: https://login.example.com/\n    keys: {file: keys.json}\n";
const FULL = `    issuer: keycloak/shop
    scopes: [mcp]
    claims: {human: sub, agent: azp, team: groups, role: realm_access.roles}
    roles: {boss: admin}
    teams: [sre]
    delegates: [gateway]
`;

interface Drawn {
  readonly gateway?: string;
  readonly link?: string;
  readonly oauth?: string;
  readonly server?: string;
  readonly more?: string;
}

function drawing({
  gateway = "traefik:",
  link = "traefik: {mcp: }",
  oauth = FULL,
  server = "",
  more = "",
}: Drawn): string {
  return `apiVersion: topology/v1
stack: stack
domain: example.com
components:
  valkey: {namespace: cache}
  keycloak: {namespace: auth, scheme: https, port: 8443, realms: [shop]}
  plain: {type: keycloak, namespace: auth, realms: [shop]}
  idp: {type: resource, namespace: login, port: 8443}
${gateway === "" ? "" : `  ${gateway}\n`}${server}links:
${link === "" ? "" : `  ${link}\n`}  mcp: {stack_agent: read, valkey: write}
${oauth === "" ? "" : `access:\n  oauth:\n${oauth}`}${more}`;
}

const codesOf = ({ problems }: Output): readonly string[] =>
  problems.map(({ code }) => code).filter((code) => code.startsWith("E-"));
const reads = (output: Output): readonly string[] => [
  ...new Set(
    [...output.tree]
      .filter(([path]) => path.startsWith("server/runtime/"))
      .flatMap(([, { text }]) =>
        [...text.matchAll(/environment\["(MCP_OAUTH_\w+)"\]/g)].map(([, name]) => name ?? ""),
      ),
  ),
];
function serverVariables(output: Output): Readonly<Record<string, unknown>> {
  const pod = podsIn(output.manifests).find(
    ({ labels }) => labels["app.kubernetes.io/component"] === "server",
  );
  if (pod === undefined) throw new Error("no pod of the server");
  return variablesOf(pod, output);
}
const rulesFor = (output: Output, port: number): readonly Block[] =>
  ofKind(output.manifests, "NetworkPolicy").flatMap(({ object }) =>
    blocks(at(object, "spec", "egress")).filter((rule) =>
      blocks(rule["ports"]).some((each) => each["port"] === port),
    ),
  );

describe("R25 oauth: what follows from a drawn issuer, and goes with it", () => {
  it("code, library, variable and network rule, of the server alone", async () => {
    const output = await outputOfText(drawing({}));
    expect(codesOf(output)).toEqual([]);
    const registry = output.tree.get("server/registry.ts")?.text ?? "";
    expect(registry).toContain('issuer: "https://keycloak.auth.svc.cluster.local:8443/realms/shop"');
    expect(registry).toContain('audience: "https://mcp.example.com/mcp"');
    expect(registry).toContain('teams: ["sre"]');
    expect(output.tree.get("server/package.json")?.text).toContain('"jose": "6.2.17"');
    expect(output.tree.get("server/package-lock.json")?.text).toContain('"node_modules/jose"');
    expect(serverVariables(output)["MCP_OAUTH_JWKS_URL"]).toBe(
      "https://keycloak.auth.svc.cluster.local:8443/realms/shop/protocol/openid-connect/certs",
    );
    expect(rulesFor(output, 8443)).toEqual([
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "auth" } },
            podSelector: { matchLabels: { "app.kubernetes.io/name": "keycloak" } },
          },
        ],
        ports: [{ port: 8443, protocol: "TCP" }],
      },
    ]);
    const lock = JSON.parse(output.tree.get("server/surface.lock.json")?.text ?? "{}") as Block;
    expect(lock["egress"]).toContain("keycloak.auth.svc.cluster.local:8443");
    expect(lock["oauth"]).toEqual({
      issuer: "https://keycloak.auth.svc.cluster.local:8443/realms/shop",
      audience: "https://mcp.example.com/mcp",
    });
    const policy = JSON.parse(output.tree.get("governance/policy.json")?.text ?? "{}") as { auth: Block };
    expect(policy.auth).toMatchObject({ mode: "oauth", audience: "https://mcp.example.com/mcp" });
  });

  it("A21: each of its variables that the code reads is given or a documented choice, and the other way round", async () => {
    const output = await outputOfText(drawing({}));
    const runbook = output.tree.get("docs/RUNBOOK.md")?.text ?? "";
    expect([...reads(output)].sort()).toEqual(["MCP_OAUTH_CA_FILE", "MCP_OAUTH_JWKS_URL"]);
    const given = Object.keys(serverVariables(output)).filter((name) => name.startsWith("MCP_OAUTH_"));
    expect(given).toEqual(["MCP_OAUTH_JWKS_URL"]);
    for (const name of reads(output)) expect(runbook).toContain(name);
  });

  it("nothing of it is left when it is not drawn", async () => {
    const output = await outputOfText(drawing({ oauth: "" }));
    const paths = [...output.tree.keys()];
    expect(paths.filter((path) => path.includes("/oauth/") || path.includes("issuer-keys"))).toEqual([]);
    expect(output.tree.get("server/package.json")?.text).not.toContain("jose");
    expect(output.tree.get("server/registry.ts")?.text).not.toContain("tokens");
    expect(JSON.stringify(applied(output.manifests))).not.toMatch(/well-known|MCP_OAUTH|8443/);
    expect(output.tree.get("docs/ACCESS.md")?.text).not.toContain("tokens");
    expect(output.tree.get("docs/RUNBOOK.md")?.text).not.toMatch(/Callers with tokens|token_audience/);
  });

  it.each([
    ["apisix: {namespace: ingress}", "apisix: {mcp: {cors: true}}", ""],
    ["apisix: {namespace: ingress}", "apisix: {mcp: {path: /ai}}", "/ai"],
    ["gateway_api: {namespace: ingress, class: apisix}", "gateway_api: {mcp: {path: /ai}}", "/ai"],
    ["gateway_api: {namespace: ingress, class: envoy}", "gateway_api: {mcp: }", ""],
    ["ingress: {namespace: ingress, class: traefik}", "ingress: {mcp: {path: /ai, rate_limit: 5/s}}", "/ai"],
    ["ingress: {namespace: ingress, class: nginx}", "ingress: {mcp: {path: /ai, cors: true}}", "/ai"],
    ["ingress: {namespace: ingress, class: istio}", "ingress: {mcp: }", ""],
    ["nginx: {namespace: ingress}", "nginx: {mcp: }", ""],
  ])("H1 to H30: %s leads to the description too, unchanged: %s", async (gateway, link, prefix) => {
    const output = await outputOfText(drawing({ gateway, link }));
    expect(codesOf(output)).toEqual([]);
    const routes = output.manifests.filter((each) =>
      ["ApisixRoute", "HTTPRoute", "Ingress"].includes(kindOf(each)),
    );
    const places = routes.flatMap(({ object }) => [
      ...blocks(at(object, "spec", "http")),
      ...blocks(at(object, "spec", "rules")).flatMap((rule) => [
        rule,
        { ...rule, annotations: at(object, "metadata", "annotations") },
      ]),
    ]);
    const described = places.filter((place) => JSON.stringify(place).includes(`"${METADATA}${prefix}/mcp"`));
    expect(described.length).toBeGreaterThan(0);
    for (const place of described)
      expect(JSON.stringify(place)).not.toMatch(/rewrite|replace|keyAuth|-path@/i);
    const found = rules.flatMap(({ id, check }) =>
      check(applied(output.manifests)).map((problem) => `${id} ${problem}`),
    );
    expect(found).toEqual([]);
  });

  it("keys from another drawn component, and from a file", async () => {
    const remote = await outputOfText(
      drawing({
        oauth: "    issuer: https://login.example.com/\n    keys: {from: idp, path: /oauth2/jwks}\n",
      }),
    );
    expect(serverVariables(remote)["MCP_OAUTH_JWKS_URL"]).toBe(
      "https://idp.login.svc.cluster.local:8443/oauth2/jwks",
    );
    expect(rulesFor(remote, 8443)).toHaveLength(1);
    const keys = { keys: [{ kty: "OKP", crv: "Ed25519", x: "abc", kid: "one", use: "sig" }] };
    const text = drawing({ oauth: "    issuer: https://login.example.com/\n    keys: {file: keys.json}\n" });
    const tree = await treeOf(text, "stack", { "keys.json": JSON.stringify(keys) });
    expect(JSON.parse(tree.get("server/issuer-keys.json")?.text ?? "")).toEqual(keys);
    expect(tree.get("server/registry.ts")?.text).toContain("issuer-keys.json");
    expect(tree.get("k8s/deployment.yaml")?.text).toContain("issuer-keys.json");
    expect(tree.get("k8s/networkpolicy.yaml")?.text).not.toContain("8443");
    expect(tree.get("k8s/configmap.yaml")?.text).not.toContain("MCP_OAUTH");
  });

  it("without keys there is no key: neither credential, variable nor header in a client's file", async () => {
    const output = await outputOfText(drawing({ oauth: `${FULL}    api_keys: false\n` }));
    expect(codesOf(output)).toEqual([]);
    const tree = [...output.tree].filter(
      ([path]) => !path.includes("/runtime/") && !path.startsWith("gitops/"),
    );
    expect(tree.filter(([, { text }]) => text.includes("MCP_API_KEY")).map(([path]) => path)).toEqual([]);
    expect(output.tree.get("server/registry.ts")?.text).toContain("takesKeys: false");
    const client = JSON.parse(output.tree.get("clients/.mcp.json")?.text ?? "{}") as { mcpServers: Block };
    expect(client.mcpServers["stack"]).toEqual({ type: "http", url: "https://mcp.example.com/mcp" });
  });
});

describe("R25 oauth: what is wrong is said where it stands", () => {
  const at7 = (text: string): string => (text === "" ? "" : `    ${text}\n`);
  it.each([
    ["E-MISSING", "/access/oauth/issuer", "issuer: keycloak", "lacks a realm: write keycloak/<realm>"],
    ["E-REF", "/access/oauth/issuer", "issuer: keyclaok/shop", 'Did you mean "keycloak"'],
    ["E-REF", "/access/oauth/issuer", "issuer: keycloak/other", 'has no "other"'],
    ["E-REF", "/access/oauth/issuer", "issuer: valkey", "signs no tokens"],
    ["E-SHAPE", "/access/oauth/issuer", "issuer: plain/shop", "is not https"],
    ["E-SHAPE", "/access/oauth/issuer", "issuer: http://login.example.com", "is not https"],
    [
      "E-SHAPE",
      "/access/oauth/issuer",
      'issuer: "https://login.example.com/?a=b"',
      "must end after its path",
    ],
    ["E-MISSING", "/access/oauth", "issuer: https://login.example.com", "needs keys"],
    ["E-MISSING", "/access/oauth/keys", '{issuer: "https://a.example.com", keys: {from: idp}}', "needs path"],
    [
      "E-REF",
      "/access/oauth/keys/from",
      '{issuer: "https://a.example.com", keys: {from: ipd, path: /a}}',
      "is drawn",
    ],
    ["E-MISSING", "/access/oauth", "audience: me", 'needs "issuer"'],
    ["E-MISSING", "/access/oauth/roles", "{issuer: keycloak/shop, roles: {a: admin}}", "needs role"],
    ["E-MISSING", "/access/oauth/teams", "{issuer: keycloak/shop, teams: [a]}", "needs team"],
    [
      "E-SHAPE",
      "/access/oauth/roles/a",
      "{issuer: keycloak/shop, claims: {role: r}, roles: {a: root}}",
      "is one of",
    ],
    ["E-SHAPE", "/access/oauth/scopes", '{issuer: keycloak/shop, scopes: ["a b"]}', "without blanks"],
    [
      "E-UNKNOWN-KEY",
      "/access/oauth/audiense",
      "{issuer: keycloak/shop, audiense: a}",
      'Did you mean "audience"',
    ],
  ])("%s at %s: %s", async (code, path, oauth, words) => {
    const { diagnostics } = await loadText(drawing({ oauth: at7(oauth) }));
    const errors = diagnostics.filter((each) => each.code.startsWith("E-"));
    expect(errors.map((each) => [each.code, each.path])).toContainEqual([code, path]);
    expect(errors.map(({ message }) => message).join("\n")).toContain(words);
    expect(errors.every((each) => each.at.line >= 13)).toBe(true);
  });

  const unlinked = async (oauth: string): Promise<readonly string[]> => {
    const { diagnostics } = await loadText(drawing({ oauth }));
    return diagnostics.filter(({ code }) => code === "W-UNLINKED").map(({ path }) => path);
  };
  it.each([
    "issuer: keycloak",
    "issuer: keyclaok/shop",
    "issuer: plain/shop",
    "issuer: https://login.example.com",
    '{issuer: "https://a.example.com", keys: {from: idp}}',
    "audience: me",
    "7",
  ])("what %s meant to name is not said to be without links", async (oauth) => {
    expect(await unlinked(at7(oauth))).toEqual([]);
  });

  it("what it names has a use, and whatever else is without links is said to be", async () => {
    const [issuer, plain, idp] = ["keycloak", "plain", "idp"].map((name) => `/components/${name}`);
    expect(await unlinked("")).toEqual([issuer, plain, idp]);
    expect(await unlinked(FULL)).toEqual([plain, idp]);
    expect(await unlinked(FILE)).toEqual([issuer, plain, idp]);
    expect(await unlinked(at7("{issuer: keycloak/shop, keys: {file: keys.json}}"))).toEqual([plain, idp]);
    expect(await unlinked(at7("{issuer: keycloak/shop, keys: {from: idp, path: /a}}"))).toEqual([plain]);
  });

  it("an issuer and keys that are both wrong are both said", async () => {
    const { diagnostics } = await loadText(
      drawing({ oauth: at7("{issuer: keycloak/other, keys: {from: ipd, path: /a}}") }),
    );
    expect(diagnostics.map(({ code, path }) => [code, path])).toEqual([
      ["E-REF", "/access/oauth/issuer"],
      ["E-REF", "/access/oauth/keys/from"],
    ]);
  });

  it.each([
    ["E-SHAPE", "{}"],
    ["E-SHAPE", '{"keys": []}'],
    ["E-SECRET-PLAINTEXT", '{"keys": [{"kty": "oct", "k": "AAAA"}]}'],
    ["E-SECRET-PLAINTEXT", '{"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA"}]}'],
  ])("%s: a file of keys with %s", async (code, text) => {
    const { diagnostics } = await loadText(drawing({ oauth: FILE }), "stack", { "keys.json": text });
    expect(diagnostics.filter((each) => each.code.startsWith("E-")).map((each) => each.code)).toEqual([code]);
  });

  it("E-REF: a file of keys that is not there", async () => {
    const said: string[] = [];
    const topology = await topologyOf(drawing({ oauth: FILE }));
    await readIssuerKeys(
      topology,
      () => ({ problem: "does not exist" }),
      (code, message) => said.push(`${code} ${message}`),
    );
    expect(said).toEqual(['E-REF "keys.json" does not exist']);
  });

  it.each([
    ["E-MISSING", { gateway: "", link: "" }],
    [
      "E-MISSING",
      { gateway: "traefik:\n  apisix:", link: "traefik: {mcp: }\n  apisix: {mcp: {subdomain: two}}" },
    ],
    ["E-SHAPE", { link: "traefik: {mcp: {tls: false}}" }],
    ["E-ROUTE", { gateway: "apisix:", link: "apisix: {mcp: {auth: key-auth}}" }],
    ["E-DELIVERY", { server: "  mcp: {delivery: mcp-runtime}\n" }],
  ])("%s: %j", async (code, drawn) => {
    const { problems } = await outputOfText(drawing(drawn));
    const errors = problems.filter((each) => each.code.startsWith("E-"));
    expect(errors.map((each) => [each.code, each.path])).toEqual([[code, ["access", "oauth"]]]);
  });

  it.each([
    ["another issuer and audience", "{issuer: plain/shop}", []],
    ["a further scope", "{scopes: [mcp, more]}", []],
    ["no tokens at all", "", []],
    ["fewer scopes", "{scopes: []}", ["E-ENV-WIDENS"]],
    ["another claim", "{claims: {team: other}}", ["E-ENV-WIDENS"]],
    ["a further role", "{roles: {staff: operator}}", ["E-ENV-WIDENS"]],
    ["a further team", "{teams: [sre, sales]}", ["E-ENV-WIDENS"]],
    ["a further delegate", "{delegates: [gateway, other]}", ["E-ENV-WIDENS"]],
  ])("an environment with %s", async (name, oauth, codes) => {
    const more = `environments:\n  prod: {access: {oauth: ${oauth === "" ? "" : oauth}}}\n`;
    const { diagnostics } = await loadText(drawing({ more }));
    const errors = diagnostics.filter((each) => each.code.startsWith("E-")).map((each) => each.code);
    expect(errors).toEqual(name === "another issuer and audience" ? ["E-SHAPE"] : codes);
  });

  it("an environment cannot bring tokens that the base does not have", async () => {
    const more = "environments:\n  prod: {access: {oauth: {issuer: keycloak/shop}}}\n";
    const { diagnostics } = await loadText(drawing({ oauth: "", more }));
    expect(diagnostics.map(({ code }) => code)).toContain("E-ENV-WIDENS");
  });

  it("the schema for editors knows it", () => {
    const validate = new Ajv2020({ strict: false }).compile(editorSchema(catalog.types));
    expect(validate(parse(drawing({})))).toBe(true);
    expect(validate(parse(drawing({ oauth: "    isuer: keycloak/shop\n" })))).toBe(false);
  });
});
