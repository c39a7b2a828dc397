import { describe, expect, it } from "vitest";
import { smallCatalog } from "../../test/harness/small-catalog.ts";
import type { ComponentType } from "../catalog/contract.ts";
import { environmentPrefix, kubernetesName, secretName, toolName, toolPrefix } from "./naming.ts";

function type(name: string): ComponentType {
  const found = smallCatalog.get(name);
  if (found === undefined) throw new Error(`no type ${name}`);
  return found;
}

describe("names that follow from a component", () => {
  it.each([
    ["valkey", "valkey", "valkey", "MCP_VALKEY"],
    ["session-cache", "valkey", "session_cache", "MCP_SESSION_CACHE"],
    ["postgresql", "postgresql", "pg", "MCP_POSTGRESQL"],
    ["cnpg", "cnpg", "cnpg", "MCP_CNPG"],
    ["minio", "minio", "s3", "MCP_S3"],
    ["prometheus", "prometheus", "prom", "MCP_PROMETHEUS"],
    ["sre_prometheus", "prometheus", "sre_prometheus", "MCP_SRE_PROMETHEUS"],
    ["kafka", "kafka", "kafka", "MCP_KAFKA"],
  ])("S9: %s of type %s has tools %s_* and variables %s_*", (name, typeName, prefix, environment) => {
    expect(toolPrefix({ name }, type(typeName))).toBe(prefix);
    expect(environmentPrefix({ name }, type(typeName))).toBe(environment);
  });

  it("renames a tool of the module to the link's prefix, and leaves others", () => {
    expect(toolName("valkey_get", type("valkey"), "session_cache")).toBe("session_cache_get");
    expect(toolName("get_pod_status", type("valkey"), "session_cache")).toBe("get_pod_status");
  });

  it("a name of its own holds for the type's own prefix, and a second component never shares it", () => {
    const valkey = type("valkey");
    if (valkey.tools === undefined) throw new Error("valkey has tools");
    const named = { ...valkey, tools: { ...valkey.tools, ownNames: { valkey_get: "read_key" } } };
    expect(toolName("valkey_get", named, "valkey")).toBe("read_key");
    expect(toolName("valkey_set", named, "valkey")).toBe("valkey_set");
    expect(toolName("valkey_get", named, "session_cache")).toBe("session_cache_get");
  });

  it("makes valid names for Kubernetes and for variables", () => {
    expect(kubernetesName("argo_cd")).toBe("argo-cd");
    expect(kubernetesName("odd-_")).toBe("odd");
    expect(secretName("cnpg", "orders.v1", "password")).toBe("CNPG_ORDERS_V1_PASSWORD");
    expect(secretName("argo_cd", null, "api_token")).toBe("ARGO_CD_API_TOKEN");
  });
});
