import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { catalog } from "../harness/in-process.ts";
import { at, blocks, manifestsIn, nameOf, ofKind } from "./object.ts";
import type { Block } from "./object.ts";
import { outputOfText, withAgent } from "./stacks.ts";
import type { Output } from "./stacks.ts";

const DRAWING = `apiVersion: topology/v1
stack: stack
domain: example.com
description: A shop
components:
  mcp: {delivery: mcp-runtime}
  traefik: {namespace: ingress}
  valkey: {namespace: cache}
  prometheus: {namespace: monitoring}
links:
  traefik: {mcp: {subdomain: ai}}
  mcp: {valkey: {access: write, tools: [valkey_set]}, prometheus: read}
access:
  grants:
    on_call: {subject: {group: sre}, maxTrust: high}
    bot: {subject: {agent: ops, human: eve}, maxTrust: medium, tools: {allow: ["prom_*"]}, expires: "2027-01-31"}
`;

interface Lock {
  readonly tools: readonly { readonly name: string }[];
}

describe("delivery: mcp-runtime", () => {
  let output: Output;
  let server: Block;
  let names: readonly string[];
  beforeAll(async () => {
    output = await outputOfText(DRAWING);
    const [found] = ofKind(output.manifests, "MCPServer");
    if (found === undefined) throw new Error("no MCPServer");
    server = found.object;
    names = (JSON.parse(output.tree.get("server/surface.lock.json")?.text ?? "{}") as Lock).tools.map(
      ({ name }) => name,
    );
  });

  it("R1 R5: the server with every tool that is drawn, its trust and its side effect", () => {
    const tools = blocks(at(server, "spec", "tools"));
    expect(tools.map(({ name }) => name)).toEqual(names);
    expect(tools.find(({ name }) => name === "valkey_set")).toMatchObject({
      requiredTrust: "high",
      sideEffect: "write",
    });
    expect(at(server, "spec")).toMatchObject({ description: "A shop", port: 8080, replicas: 1 });
  });

  it("R8 R10 R12: its operator makes the pods, the Service, the Ingress and the policy, so this output makes none", () => {
    const kinds = ofKind(output.manifests, "Deployment", "Service", "Ingress", "ServiceAccount");
    expect(kinds).toEqual([]);
    expect(at(server, "spec")).toMatchObject({
      ingressHost: "ai.example.com",
      ingressClass: "traefik",
      publicPathPrefix: "stack-mcp",
      gateway: { enabled: true, port: 8091, stripPrefix: "/stack-mcp" },
    });
    const [kustomization] = ofKind(output.manifests, "Kustomization");
    expect(kustomization?.object["resources"]).not.toContain("k8s/mcp-runtime/policy.yaml");
    expect(kustomization?.object["resources"]).toContain("k8s/mcp-runtime/mcpserver.yaml");
  });

  it("R2 R3: grants and sessions refer to the server, and say what the policy says", () => {
    const document = policy();
    for (const kind of ["MCPAccessGrant", "MCPAgentSession"]) {
      const found = ofKind(output.manifests, kind);
      expect(found.map(nameOf)).toEqual(["stack-mcp-bot", "stack-mcp-on-call"]);
      for (const { object } of found)
        expect(at(object, "spec", "serverRef")).toEqual({ name: "stack-mcp", namespace: "stack" });
    }
    const [bot] = ofKind(output.manifests, "MCPAccessGrant");
    expect(at(bot?.object, "spec")).toMatchObject({
      subject: { humanID: "eve", agentID: "ops" },
      maxTrust: "medium",
      allowedSideEffects: ["read", "write"],
    });
    const rules = blocks(at(bot?.object, "spec", "toolRules"));
    expect(rules.map(({ name }) => name)).toEqual(names);
    expect(
      rules.every(({ name, decision }) => (decision === "allow") === String(name).startsWith("prom_")),
    ).toBe(true);
    const [session] = ofKind(output.manifests, "MCPAgentSession");
    expect(at(session?.object, "spec", "expiresAt")).toBe("2027-01-31T00:00:00Z");
    expect(blocks(document["grants"]).map(({ name }) => name)).toEqual([
      "stack-mcp-bot",
      "stack-mcp-on-call",
    ]);
    expect(blocks(blocks(document["grants"])[0]?.["tool_rules"])).toHaveLength(names.length);
  });

  function policy(): Block {
    const [map] = manifestsIn("policy", output.tree.get("k8s/mcp-runtime/policy.yaml")?.text ?? "");
    expect(nameOf(map ?? { file: "", object: {} })).toBe("stack-mcp-gateway-policy");
    return JSON.parse(String(at(map?.object, "data", "policy.json"))) as Block;
  }

  it("R6: the policy is the document that its operator makes, under its revision", () => {
    const document = policy();
    expect(document["revision"]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(blocks(document["tools"]).map(({ name }) => name)).toEqual(names);
    expect(document["server"]).toEqual({ name: "stack-mcp", namespace: "stack" });
    expect(document["policy"]).toMatchObject({ mode: "allow-list", default_decision: "deny" });
  });

  it("R17: .mcp/servers.yaml describes the same server", () => {
    const { version, servers } = parse(output.tree.get(".mcp/servers.yaml")?.text ?? "") as {
      version: string;
      servers: Block[];
    };
    expect(version).toBe("v1");
    const [described] = servers;
    for (const key of [
      "image",
      "envVars",
      "secretEnvVars",
      "tools",
      "replicas",
      "resources",
      "ingressHost",
      "gateway",
    ])
      expect(described?.[key], key).toEqual(at(server, "spec", key));
  });

  it("A18: the way in leads to the operator's gateway in front of the server, in the pods that it makes", () => {
    const policies = ofKind(output.manifests, "NetworkPolicy").filter((each) => nameOf(each) === "stack-mcp");
    const [own] = policies;
    expect(at(own?.object, "spec", "podSelector")).toEqual({ matchLabels: { app: "stack-mcp" } });
    expect(blocks(at(own?.object, "spec", "ingress")).map((rule) => rule["ports"])).toEqual([
      [{ port: 8091, protocol: "TCP" }],
    ]);
  });

  it("the image holds what would be mounted, file by file, and its tag changes with any of them", async () => {
    const dockerfile = output.tree.get("server/Dockerfile")?.text ?? "";
    const copied = [...dockerfile.matchAll(/^COPY (\[.*\])$/gm)].flatMap(([, list]) =>
      (JSON.parse(list ?? "[]") as string[]).slice(0, -1),
    );
    const files = [...output.tree.keys()]
      .filter((path) => path.startsWith("server/"))
      .map((path) => path.slice("server/".length));
    expect(copied.sort()).toEqual(
      files.filter((path) => !["Dockerfile", "package-lock.json", "tsconfig.json"].includes(path)).sort(),
    );
    const other = await outputOfText(DRAWING.replace(", tools: [valkey_set]", ""));
    const image = (each: Output): unknown =>
      at(ofKind(each.manifests, "MCPServer")[0]?.object, "spec", "image");
    expect(image(other)).not.toBe(image(output));
  });

  it("optional credentials that nobody drew are left out: the operator cannot do without a key that is missing", () => {
    const secrets = blocks(at(server, "spec", "secretEnvVars")).map(({ name }) => name);
    expect(secrets).toEqual(["MCP_API_KEY", "MCP_VALKEY_PASSWORD"]);
  });

  it("an agent beside it is a Deployment of its own, with the variables that it reads", async () => {
    const both = await outputOfText(DRAWING, withAgent(catalog));
    expect(ofKind(both.manifests, "Deployment").map(nameOf)).toEqual(["stack-agent"]);
    const [kustomization] = ofKind(both.manifests, "Kustomization");
    expect(kustomization?.object["resources"]).toContain("k8s/configmap.yaml");
  });
});
