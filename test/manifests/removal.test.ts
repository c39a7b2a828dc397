import { beforeAll, describe, expect, it } from "vitest";
import { at, blocks, kindOf, nameOf, namespaceOf, ofKind } from "./object.ts";
import type { Manifest } from "./object.ts";
import { applied, exampleOutputs, outputOfText, withRights } from "./stacks.ts";
import type { Output } from "./stacks.ts";

const DRAWING = `apiVersion: topology/v1
stack: stack
domain: example.com
components:
  apisix: {namespace: ingress}
  valkey: {namespace: cache}
  cnpg: {namespace: db, databases: [app_db]}
  prometheus: {namespace: monitoring}
links:
  apisix: {mcp: {auth: key-auth}}
  prometheus: {mcp: }
  mcp: {cnpg: read, valkey: read, prometheus: read}
`;
/** Rights that a link to a Valkey would never need: what goes with a link must go with any. */
const RIGHTS = withRights("valkey", [
  { namespace: "cache", rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }] },
]);

/** A manifest as text in which hashes are not told apart. */
function unhashed(manifest: Manifest): string {
  return JSON.stringify(manifest.object, null, 1)
    .replaceAll(/[0-9a-f]{64}/g, "<hash>")
    .replaceAll(/(-config-|-mcp:)[0-9a-f]{10,12}/g, "$1<hash>");
}

function keyOf(manifest: Manifest): string {
  return `${kindOf(manifest)} ${namespaceOf(manifest)}/${nameOf(manifest).replace(/-config-[0-9a-f]{10}$/, "-config")}`;
}

/** Lines that one has and the other has not, by object; as `kubectl diff` would show them. */
function difference(before: Output, after: Output): Readonly<Record<string, readonly string[]>> {
  const lines = (output: Output): ReadonlyMap<string, readonly string[]> =>
    new Map(
      applied(output.manifests).map((each) => [
        keyOf(each),
        unhashed(each)
          .split("\n")
          .map((line) => line.trim().replace(/,$/, "")),
      ]),
    );
  const [old, now] = [lines(before), lines(after)];
  const changed: Record<string, readonly string[]> = {};
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(key) ?? [], now.get(key) ?? []];
    const gone = was.filter((line) => !is.includes(line));
    const come = is.filter((line) => !was.includes(line));
    if (gone.length + come.length > 0 || was.length !== is.length)
      changed[key] = [...gone, ...come.map((line) => `+ ${line}`)];
  }
  return changed;
}

describe("S29: a link that goes takes its rule, its rights and its credentials along, and nothing else", () => {
  let before: Output;
  let after: Output;
  beforeAll(async () => {
    before = await outputOfText(DRAWING, RIGHTS);
    after = await outputOfText(DRAWING.replace(" valkey: read,", ""), RIGHTS);
  });

  it("changes the objects that it was part of, and removes its own", () => {
    const changed = difference(before, after);
    expect(Object.keys(changed).sort()).toEqual([
      "ConfigMap stack/stack-mcp-config",
      "Deployment stack/stack-mcp",
      "NetworkPolicy stack/stack-mcp",
      "Role cache/stack-mcp",
      "RoleBinding cache/stack-mcp",
    ]);
    const left = Object.values(changed).flat();
    expect(left.filter((line) => line.startsWith("+ "))).toEqual(['+ "automountServiceAccountToken": false']);
    for (const line of changed["ConfigMap stack/stack-mcp-config"] ?? [])
      expect(line).toContain("MCP_VALKEY_");
  });

  it("A17: leaves no trace of its name in what is applied", () => {
    const text = JSON.stringify(applied(after.manifests));
    expect(JSON.stringify(applied(before.manifests))).toMatch(/valkey/i);
    expect(text).not.toMatch(/valkey/i);
  });

  it("a scraper that goes takes its port along", async () => {
    const quiet = await outputOfText(DRAWING.replace("  prometheus: {mcp: }\n", ""), RIGHTS);
    expect(JSON.stringify(before.manifests)).toContain("9103");
    expect(JSON.stringify(quiet.manifests)).not.toContain("9103");
    expect(Object.keys(difference(before, quiet)).sort()).toEqual([
      "Deployment stack/stack-mcp",
      "NetworkPolicy stack/stack-mcp",
      "Service stack/stack-mcp",
    ]);
  });

  it("a gateway that goes takes its route, its host and its way in along", async () => {
    const closed = await outputOfText(DRAWING.replace("  apisix: {mcp: {auth: key-auth}}\n", ""), RIGHTS);
    expect(Object.keys(difference(before, closed)).sort()).toEqual([
      "ApisixConsumer stack/stack-mcp-apisix",
      "ApisixRoute stack/stack-mcp-apisix",
      "ApisixTls stack/stack-mcp-apisix",
      "Deployment stack/stack-mcp",
      "NetworkPolicy stack/stack-mcp",
    ]);
    expect(JSON.stringify(closed.manifests)).not.toContain("mcp.example.com");
  });
});

function checksums(output: Output): Readonly<Record<string, unknown>> {
  const [deployment] = ofKind(output.manifests, "Deployment");
  return at(deployment?.object, "spec", "template", "metadata", "annotations") as Record<string, unknown>;
}

describe("H24 A17: checksums change when and only when the content does", () => {
  it.each([
    ["nothing", (text: string) => text, []],
    [
      "the order of the file",
      (text: string) =>
        text
          .replace("  valkey: {namespace: cache}\n", "")
          .replace("links:", "  valkey: {namespace: cache}\nlinks:"),
      [],
    ],
    ["a component that AI does not reach", (text: string) => text.replace("links:", "  redis: \nlinks:"), []],
    [
      "the number of pods",
      (text: string) => text.replace("components:", "components:\n  mcp: {replicas: 2, state: valkey}"),
      // They share their state, for which there is code and an address.
      ["checksum/code", "checksum/config"],
    ],
    [
      "the image",
      (text: string) =>
        text.replace("components:", "components:\n  mcp: {image: 'registry.example.com/a:1'}"),
      [],
    ],
    [
      "an address",
      (text: string) => text.replace("{namespace: cache}", "{namespace: cache, port: 6380}"),
      ["checksum/code", "checksum/config"],
    ],
    ["a host", (text: string) => text.replace("example.com", "example.org"), []],
    [
      "a flag",
      (text: string) => text.replace("valkey: read", "valkey: write"),
      ["checksum/code", "checksum/policy", "checksum/config"],
    ],
  ] as const)("%s", async (_, change, expected) => {
    const [before, after] = [await outputOfText(DRAWING), await outputOfText(change(DRAWING))];
    const [old, now] = [checksums(before), checksums(after)];
    expect(Object.keys(old).filter((name) => old[name] !== now[name])).toEqual([...expected]);
  });
});

describe("S37: two stacks side by side", () => {
  it("sre has no account, key, code or way that leads to shop's database", async () => {
    const outputs = await exampleOutputs();
    const [shop, sre] = [outputs.get("shop"), outputs.get("sre")];
    if (shop === undefined || sre === undefined) throw new Error("no outputs");
    const places = (output: Output): readonly string[] =>
      ofKind(output.manifests, "NetworkPolicy").flatMap(({ object }) =>
        blocks(at(object, "spec", "egress")).flatMap((rule) =>
          blocks(rule["to"]).map((peer) => JSON.stringify(peer)),
        ),
      );
    expect(places(shop).some((peer) => peer.includes("cluster-db"))).toBe(true);
    expect(places(sre).some((peer) => peer.includes("cluster-db") || peer.includes('"db"'))).toBe(false);
    const text = [...sre.tree.values()].map((file) => file.text).join("\n");
    expect(/cluster-db|MCP_CNPG|shop-mcp/.exec(text)?.[0]).toBeUndefined();
    const objects = (output: Output): readonly string[] => applied(output.manifests).map(keyOf);
    expect(objects(shop).filter((key) => objects(sre).includes(key))).toEqual([]);
    const secrets = (output: Output): ReadonlySet<string> =>
      new Set(
        [...JSON.stringify(output.manifests).matchAll(/"secretKeyRef":\{"name":"([^"]+)"/g)].map(
          ([, name]) => name ?? "",
        ),
      );
    expect([...secrets(shop)].filter((name) => secrets(sre).has(name))).toEqual([]);
  });
});
