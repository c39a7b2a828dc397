import { describe, expect, it } from "vitest";
import { at, blocks, ofKind } from "./object.ts";
import type { Block, Manifest } from "./object.ts";
import { outputOfText } from "./stacks.ts";
import type { Output } from "./stacks.ts";

async function routed(component: string, link: string, mcp = ""): Promise<Output> {
  return await outputOfText(`apiVersion: topology/v1
stack: stack
domain: example.com
components:
${mcp}  valkey: {namespace: cache}
  ${component}
links:
  ${link}
  mcp: {valkey: read}
`);
}

function one(output: Output, kind: string): Block {
  const [found, ...more] = ofKind(output.manifests, kind);
  expect(more).toEqual([]);
  return found?.object ?? {};
}

const annotationsOf = (output: Output): unknown => at(one(output, "Ingress"), "metadata", "annotations");

describe("S15: through APISIX", () => {
  const link = "apisix: {mcp: {subdomain: ai, auth: key-auth, rate_limit: 20/s}}";
  const pluginsOf = (object: Block): readonly Block[] =>
    blocks(blocks(at(object, "spec", "http"))[0]?.["plugins"]);

  it("the key is asked for in the header that clients send, and known with its scheme", async () => {
    const output = await routed("apisix: {namespace: ingress}", link);
    const [rule] = blocks(at(one(output, "ApisixRoute"), "spec", "http"));
    expect(rule?.["authentication"]).toEqual({
      enable: true,
      type: "keyAuth",
      keyAuth: { header: "Authorization" },
    });
    const secret = at(one(output, "ApisixConsumer"), "spec", "authParameter", "keyAuth", "secretRef", "name");
    expect(secret).toBe("stack-mcp-credentials");
  });

  it("where the key comes from a store, the entry that the gateway compares is made of it there", async () => {
    const output = await routed(
      "apisix: {namespace: ingress}",
      link,
      "  mcp: {api_key: {external: vault/mcp-key}}\n",
    );
    const external = one(output, "ExternalSecret");
    expect(at(external, "spec", "target", "template")).toEqual({
      mergePolicy: "Merge",
      data: { key: "Bearer {{ .MCP_API_KEY }}" },
    });
    const consumer = at(
      one(output, "ApisixConsumer"),
      "spec",
      "authParameter",
      "keyAuth",
      "secretRef",
      "name",
    );
    expect(consumer).toBe(at(external, "metadata", "name"));
  });

  it("S16: the answer to a browser's first question lets it send what MCP needs, and comes before the key", async () => {
    const output = await routed(
      "apisix: {namespace: ingress}",
      "apisix: {mcp: {auth: key-auth, cors: true}}",
    );
    const cors = pluginsOf(one(output, "ApisixRoute")).find(({ name }) => name === "cors");
    const config = cors?.["config"] as Record<string, string>;
    for (const header of ["authorization", "mcp-session-id", "mcp-protocol-version"])
      expect(config["allow_headers"]).toContain(header);
    expect(config["expose_headers"]).toBe("mcp-session-id");
    expect(config["allow_origins"]).not.toContain("*");
    const off = await routed("apisix: {namespace: ingress}", "apisix: {mcp: {cors: false}}");
    expect(pluginsOf(one(off, "ApisixRoute")).some(({ name }) => name === "cors")).toBe(false);
  });

  it("limits each caller as drawn, streams for as long as a call may take, and sends http to https", async () => {
    const object = one(await routed("apisix: {namespace: ingress}", link), "ApisixRoute");
    const [rule] = blocks(at(object, "spec", "http"));
    expect(rule?.["timeout"]).toEqual({ connect: "5s", send: "300s", read: "300s" });
    expect(pluginsOf(object).find(({ name }) => name === "limit-count")?.["config"]).toMatchObject({
      count: 20,
      time_window: 1,
      key: "consumer_name",
    });
    expect(pluginsOf(object).find(({ name }) => name === "redirect")?.["config"]).toEqual({
      http_to_https: true,
    });
  });

  it("through the Gateway API, the same follows from its own objects", async () => {
    const output = await routed(
      "gateway_api: {namespace: ingress, class: apisix}",
      "gateway_api: {mcp: {auth: key-auth, path: /ai}}",
    );
    const [rule] = blocks(at(one(output, "HTTPRoute"), "spec", "rules"));
    expect(rule?.["filters"]).toEqual([
      {
        type: "ExtensionRef",
        extensionRef: { group: "apisix.apache.org", kind: "PluginConfig", name: "stack-mcp-gateway-api" },
      },
      { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/mcp" } } },
    ]);
    const plugins = blocks(at(one(output, "PluginConfig"), "spec", "plugins")).map(({ name }) => name);
    expect(plugins).toEqual(["cors", "key-auth", "limit-count"]);
    expect(at(one(output, "Consumer"), "spec", "credentials")).toEqual([
      { type: "key-auth", name: "mcp", secretRef: { name: "stack-mcp-credentials" } },
    ]);
  });
});

describe("R11: through an Ingress, in the words of each controller", () => {
  const nginx = "nginx.ingress.kubernetes.io";
  const traefik = "traefik.ingress.kubernetes.io";

  it("nginx streams, and counts by the minute what is drawn by the hour", async () => {
    const output = await routed(
      "ingress: {class: nginx}",
      "ingress: {mcp: {path: /ai, rate_limit: 600/h, cors: true}}",
    );
    expect(annotationsOf(output)).toMatchObject({
      [`${nginx}/proxy-buffering`]: "off",
      [`${nginx}/proxy-read-timeout`]: "300",
      [`${nginx}/ssl-redirect`]: "true",
      [`${nginx}/rewrite-target`]: "/mcp",
      [`${nginx}/limit-rpm`]: "10",
      [`${nginx}/cors-allow-origin`]: "https://mcp.example.com",
    });
    expect(at(one(output, "Ingress"), "spec", "ingressClassName")).toBe("nginx");
  });

  it("Traefik gets a Middleware for each thing that an Ingress cannot say", async () => {
    const output = await routed("traefik:", "traefik: {mcp: {path: /ai, rate_limit: 5/s, cors: true}}");
    expect(annotationsOf(output)).toEqual({
      [`${traefik}/router.entrypoints`]: "websecure",
      [`${traefik}/router.middlewares`]:
        "stack-stack-mcp-traefik-path@kubernetescrd,stack-stack-mcp-traefik-rate@kubernetescrd,stack-stack-mcp-traefik-cors@kubernetescrd",
      [`${traefik}/router.tls`]: "true",
    });
    const specs = ofKind(output.manifests, "Middleware").map(({ object }: Manifest) =>
      Object.keys(object["spec"] as Block),
    );
    expect(specs).toEqual([["replacePath"], ["rateLimit"], ["headers"]]);
  });

  it("Istio is named by the annotation that it reads, and nothing names a class to a generic one", async () => {
    const istio = await routed("ingress: {class: istio}", "ingress: {mcp: }");
    expect(annotationsOf(istio)).toEqual({ "kubernetes.io/ingress.class": "istio" });
    expect(at(one(istio, "Ingress"), "spec", "ingressClassName")).toBeUndefined();
    const generic = await routed("gateway:", "gateway: {mcp: {path: /ai}}");
    expect(annotationsOf(generic)).toEqual({ "ingress.kubernetes.io/rewrite-target": "/mcp" });
  });

  it("without TLS only where that was drawn", async () => {
    const output = await routed("traefik:", "traefik: {mcp: {tls: false}}");
    expect(at(one(output, "Ingress"), "spec", "tls")).toBeUndefined();
    expect(annotationsOf(output)).toEqual({ [`${traefik}/router.entrypoints`]: "web" });
  });
});
