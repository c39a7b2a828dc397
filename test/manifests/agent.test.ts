import { beforeAll, describe, expect, it } from "vitest";
import { catalog } from "../harness/in-process.ts";
import { variablesOf } from "./mounted.ts";
import { at, blocks, nameOf, ofKind, podsIn } from "./object.ts";
import type { Block } from "./object.ts";
import { outputOfText, withAgent } from "./stacks.ts";
import type { Output } from "./stacks.ts";

const DRAWING = `apiVersion: topology/v1
stack: stack
domain: example.com
components:
  mcp: {namespace: tools}
  apisix: {namespace: ingress}
  valkey: {namespace: cache}
links:
  apisix: {mcp: }
  mcp: {stack_agent: read, valkey: read}
`;

function named(output: Output, kind: string, name: string): Block | undefined {
  return ofKind(output.manifests, kind).find((each) => nameOf(each) === name)?.object;
}

describe("S21: the stack agent in the cluster", () => {
  let output: Output;
  beforeAll(async () => {
    output = await outputOfText(DRAWING, withAgent(catalog));
  });

  it("is there when its files are, beside the server and like it", () => {
    for (const kind of ["Deployment", "Service", "ServiceAccount", "NetworkPolicy"])
      expect(at(named(output, kind, "stack-agent"), "metadata", "namespace"), kind).toBe("tools");
    const [server, agent] = podsIn(output.manifests);
    expect(agent?.containers[0]?.["image"]).toBe(server?.containers[0]?.["image"]);
    expect(agent?.containers[0]?.["workingDir"]).toBe("/app/agent");
    const sources = blocks(agent?.spec["volumes"]).flatMap((volume) =>
      blocks(at(volume, "projected", "sources")),
    );
    expect(sources.map((source) => at(source, "configMap", "name"))).toContain("stack-agent-code");
  });

  it("knows its own token and what is linked, and not the key of the server's clients", () => {
    const agent = podsIn(output.manifests).find(({ owner }) => nameOf(owner) === "stack-agent");
    if (agent === undefined) throw new Error("no agent");
    const variables = Object.keys(variablesOf(agent, output));
    expect(variables).toEqual(
      expect.arrayContaining(["AGENT_BIND", "AGENT_PORT", "MCP_VALKEY_HOST", "MCP_VALKEY_PASSWORD"]),
    );
    expect(variables).not.toContain("MCP_API_KEY");
    expect(variables).not.toContain("MCP_BIND");
  });

  it("is asked by the server alone, and goes where the tools go but not to itself", () => {
    const policy = named(output, "NetworkPolicy", "stack-agent");
    expect(at(policy, "spec", "ingress")).toEqual([
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "tools" } },
            podSelector: { matchLabels: { "app.kubernetes.io/name": "stack-mcp" } },
          },
        ],
        ports: [{ port: 8090, protocol: "TCP" }],
      },
    ]);
    const egress = JSON.stringify(at(policy, "spec", "egress"));
    expect(egress).toContain('"kubernetes.io/metadata.name":"cache"');
    expect(egress).not.toContain("stack-agent");
  });

  it("is not routed", () => {
    expect(JSON.stringify(named(output, "ApisixRoute", "stack-mcp-apisix"))).not.toContain("agent");
  });
});
