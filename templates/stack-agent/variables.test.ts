import { createEngine } from "#runtime/stack-agent/engine";
import { describe, expect, it } from "vitest";
import { SHOP } from "../../test/harness/shop-data.ts";

const engine = createEngine(SHOP);

describe("variables in commands", () => {
  const preview = (body: object): unknown => engine.query({ dry_run: true, ...body }).rows[0];

  it("S25: an unknown variable stays in place and is named", () => {
    expect(preview({ source: "valkey", command: "ping {host} {hots} {consumers} {__proto__}" })).toEqual({
      name: "valkey",
      command: "ping valkey.cache.svc.cluster.local {hots} {consumers} {__proto__}",
      unresolved: ["__proto__", "consumers", "hots"],
    });
  });

  it("S23: doubled braces stand for themselves", () => {
    expect(preview({ source: "valkey", command: "awk '{{print $1}}' {{name}} {name}" })).toEqual({
      name: "valkey",
      command: "awk '{print $1}' {name} valkey",
    });
  });

  it("S23: the other end of a link is linked_*", () => {
    const command =
      "{name} {via} {sub_name} {link_name} {linked_name} {linked_namespace} {linked_host}:{linked_port}";
    expect(preview({ source: "kafka", target: "links_from", where: { via: "orders" }, command })).toEqual({
      name: "fastapi",
      command: "kafka {via} orders fastapi-kafka_topic fastapi app fastapi.app.svc.cluster.local:8080",
      unresolved: ["via"],
    });
  });

  it("S12: an external component has no namespace unless one was drawn", () => {
    const command = "{linked_is_external} {linked_host} {linked_namespace}";
    const body = { source: "prometheus", target: "links_to", where: { linked_is_external: true } };
    expect(preview({ ...body, command })).toEqual({
      name: "sre_prometheus",
      command: "true prometheus.sre.example.com {linked_namespace}",
      unresolved: ["linked_namespace"],
    });
  });

  it("S23: a secret of the other end is *** too", () => {
    const body = { source: "fastapi", target: "links_to", where: { linked_name: "cnpg" } };
    expect(
      preview({ ...body, command: "{linked_database} {linked_username} {linked_password} {api_key}" }),
    ).toEqual({
      name: "cnpg",
      command: "app_db app_user *** ***",
    });
  });

  it("S23: link attributes, configuration and the stack's own words", () => {
    const body = { source: "apisix", target: "links_to", where: { subdomain: "api" } };
    expect(
      preview({ ...body, command: "{auth} {rate_limit} {stack} {env} {cluster_domain} {link_id}" }),
    ).toEqual({
      name: "fastapi",
      command: "oidc 100/s shop base cluster.local 'apisix->fastapi'",
    });
  });

  it("S23: a route without a subdomain is called like its target", () => {
    expect(preview({ source: "grafana", target: "links_to", command: "{subdomain}" })).toMatchObject({
      command: "loki",
    });
  });

  it("S24: every step of the pipeline is shown", () => {
    const pipeline = {
      command: "a {name}",
      on_success: "b {type}",
      on_failure: "c {group}",
      verify_delay: 5,
    };
    expect(preview({ source: "valkey", ...pipeline })).toEqual({
      name: "valkey",
      command: "a valkey",
      on_success: "b valkey",
      on_failure: "c cache",
    });
  });
});
