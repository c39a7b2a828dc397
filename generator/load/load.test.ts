import { describe, expect, it } from "vitest";
import { loadDemo, summary } from "../../test/harness/small-catalog.ts";
import type { Topology } from "../model/topology.ts";
import type { LoadInput } from "./load.ts";

const HEAD = "apiVersion: topology/v1\nstack: demo\n";

async function topology(body: string, more: Partial<LoadInput> = {}): Promise<Topology> {
  const { stack, diagnostics } = await loadDemo(HEAD + body, more);
  if (stack === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return stack.base;
}

async function codes(body: string, more: Partial<LoadInput> = {}): Promise<readonly string[]> {
  return summary(await loadDemo(HEAD + body, more)).map((line) => line.replace(/^\d+ /, ""));
}

async function errors(body: string, more: Partial<LoadInput> = {}): Promise<readonly string[]> {
  return (await codes(body, more)).filter((code) => code.startsWith("E-"));
}

async function firstMessage(body: string): Promise<string> {
  return (
    (await loadDemo(HEAD + body)).diagnostics.find(({ severity }) => severity === "error")?.message ??
    "no error"
  );
}

const HELLO = `components:
  postgresql: {databases: [app]}
  fastapi:
  mcp: {framework: fastmcp}
links:
  fastapi: {postgresql/app: readwrite}
  mcp:
    stack_agent: read
    postgresql/app: read
`;

describe("a whole stack", () => {
  it("S1: resolves the smallest stack", async () => {
    const { stack, diagnostics } = await loadDemo(HEAD + HELLO);
    expect(diagnostics).toEqual([]);
    expect(stack?.base.components.map(({ name, type, builtin }) => [name, type, builtin])).toEqual([
      ["fastapi", "fastapi", false],
      ["mcp", "fastmcp", true],
      ["postgresql", "postgresql", false],
      ["stack_agent", "stack_agent", true],
    ]);
    expect(stack?.base.links.map(({ id, type, name, access }) => [id, type, name, access])).toEqual([
      ["fastapi->postgresql/app", "fastapi-postgresql_database", "fastapi-postgresql_database", "readwrite"],
      ["mcp->postgresql", "fastmcp-postgresql", "mcp-postgresql", "read"],
      ["mcp->stack_agent", "fastmcp-stack_agent", "mcp-stack_agent", "read"],
    ]);
    expect(stack?.base.mcpLinks.map(({ drawn, narrowed }) => [drawn, narrowed])).toEqual([
      ["postgresql: {access: read, only: [app]}", true],
      ["stack_agent: read", false],
    ]);
    expect(stack?.base.server.framework).toBe("fastmcp");
  });

  it("S2: names every fault of a broken stack in one run, and nothing that only follows from another", async () => {
    const broken = await loadDemo(`apiVersion: topology/v1
stack: demo
domian: x.io
components:
  cnpg:
    databases: {app_db: {username: u, password: hunter2}}
    instnaces: 3
  kafka: {topics: [orders]}
  rabbitmq: {queues: [events], exchanges: [events]}
  api: {type: fastap}
  web:
  prometheus: {port: "8080"}
  apisix:
links:
  web: {cnpg/app_db: readwrite}
  prometheus:
    cnpg/appdb: owner
    rabbitmq/events: publish
    kafka/orders: write
  mcp:
    kafak: read
    kafka: write-all
    apisix: read
    cnpg: read
environments:
  prod:
    links: {mcp: {cnpg: write}}
`);
    expect(broken.stack).toBeNull();
    expect(summary(broken)).toEqual([
      "3 E-UNKNOWN-KEY",
      "6 E-SECRET-PLAINTEXT",
      "7 E-UNKNOWN-KEY",
      "10 E-TYPE-UNKNOWN",
      "11 E-TYPE-MISSING",
      "12 E-SHAPE",
      "17 E-REF",
      "18 E-REF-AMBIGUOUS",
      "19 E-ACCESS",
      "20 W-NO-STACK-AGENT",
      "21 E-REF",
      "22 E-ACCESS",
      "23 E-NO-TOOLS",
      "27 E-ENV-WIDENS",
    ]);
    const text = JSON.stringify(broken.diagnostics);
    expect(text).not.toContain("hunter2");
    for (const word of ["domain", "instances", "fastapi", "app_db", "kafka"])
      expect(text).toContain(`Did you mean \\"${word}\\"`);
  });

  it("gives one drawing for two ways of writing it", async () => {
    const long = HELLO.replace("[app]", "{app: {}}")
      .replace("postgresql/app: readwrite", "postgresql/database:app: {access: readwrite, x-note: 1}")
      .replace("postgresql/app: read\n", "postgresql: {only: [app], access: read}\n")
      .replace("fastapi:\n", "fastapi: {type: fastapi, x-team: a}\n");
    expect((await topology(long)).drawing).toEqual((await topology(HELLO)).drawing);
    expect((await topology(HELLO.replace("readwrite", "read"))).drawing).not.toEqual(
      (await topology(HELLO)).drawing,
    );
  });

  it("points list items and shorthand at what was written", async () => {
    const base = await topology(HELLO);
    expect(base.components.find(({ name }) => name === "postgresql")?.subs[0]?.path).toEqual([
      "components",
      "postgresql",
      "databases",
      0,
    ]);
    expect(base.mcpLinks[0]?.path).toEqual(["links", "mcp", "postgresql/app"]);
  });

  it("stops at a version that it does not know", async () => {
    const { diagnostics } = await loadDemo("apiVersion: topology/v9\nstack: demo\nnonsense: 1\n");
    expect(diagnostics.map(({ code }) => code)).toEqual(["E-API-VERSION"]);
    expect(diagnostics[0]?.message).toContain("topology/v1");
  });

  it("refuses more components than a stack holds, before it looks at them", async () => {
    const many = Array.from({ length: 20_001 }, (_, index) => `  c${index}: {type: nothing}\n`).join("");
    expect(await errors(`components:\n${many}`)).toContain("E-LIMIT");
  });
});

describe("components", () => {
  it("fills in host, namespace, group, labels and the names of secrets", async () => {
    const base = await topology(
      "defaults: {namespace: shared}\ncomponents:\n  cnpg: {namespace: db, databases: {app_db: }}\n  fast_api: {type: fastapi}\nlinks: {fast_api: {cnpg/app_db: read}}\n",
    );
    const [cnpg, api] = base.components;
    expect(cnpg).toMatchObject({
      host: "cluster-db-rw.db.svc.cluster.local",
      port: 5432,
      group: "databases",
      podLabels: { "cnpg.io/cluster": "cluster-db" },
      secrets: { admin_password: { from: "implied", name: "CNPG_ADMIN_PASSWORD" } },
    });
    expect(cnpg?.subs[0]).toMatchObject({
      attributes: { database: "app_db" },
      secrets: { password: { from: "implied", name: "CNPG_APP_DB_PASSWORD" } },
    });
    expect(api).toMatchObject({ namespace: "shared", host: "fast-api.shared.svc.cluster.local" });
  });

  it.each([
    ["{key: DB_PASSWORD}", { from: "key", name: "DB_PASSWORD" }],
    ["{env: DB_PASSWORD}", { from: "env", name: "DB_PASSWORD" }],
    ["{file: /run/secrets/db}", { from: "file", path: "/run/secrets/db" }],
    ["{k8s: db/app-db#password}", { from: "k8s", namespace: "db", secret: "app-db", key: "password" }],
    ["{external: vault/apps/db}", { from: "external", store: "vault", key: "apps/db" }],
    ["{generate: 32}", { from: "generate", length: 32 }],
  ])("S5: reads the secret reference %s", async (written, reference) => {
    const base = await topology(`components: {cnpg: {admin_password: ${written}}}\n`);
    expect(base.components[0]?.secrets["admin_password"]).toEqual(reference);
  });

  it.each(["{k8s: no-key}", "{key: A, env: B}", "{vault: x}", "{generate: 4}", "{}"])(
    "refuses the secret reference %s",
    async (written) => {
      expect(await errors(`components: {cnpg: {admin_password: ${written}}}\n`)).toEqual(["E-SHAPE"]);
    },
  );

  it.each([
    ["a config key", "components: {fastapi: {config: {db_password: hunter22}}}"],
    ["a token", "components: {fastapi: {config: {note: hf_abcdefghijklmnopqrstuvwxyz012345}}}"],
    ["a URL with a password", 'description: "see postgres://app:hunter22@db/app"\ncomponents: {fastapi: }'],
    ["a pod label", "components: {fastapi: {pod_labels: {api-token: hunter22}}}"],
    [
      "a variable of a link",
      "components: {fastapi: , kafka: }\nlinks: {fastapi: {kafka: {env_vars: {API_KEY: hunter22}}}}",
    ],
    ["random text", "x-note: q7Rk2LmX9vB4tZ8nW1pY6cD3fG5hJ0sA\ncomponents: {fastapi: }"],
  ])("S5: refuses %s that holds a secret, and never prints it", async (_, body) => {
    const { diagnostics } = await loadDemo(`${HEAD}${body}\n`);
    const text = JSON.stringify(diagnostics);
    expect(diagnostics.map(({ code }) => code)).toContain("E-SECRET-PLAINTEXT");
    expect(text).not.toMatch(/hunter22|hf_abc|q7Rk2/);
  });

  it.each([
    "config: {workers: 4, tier: gold, secret_name: app-db}",
    'config: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}',
    "description: Takes orders from the web shop and passes them on to the warehouse system 24x7",
  ])("accepts %s", async (attribute) => {
    expect(await errors(`components: {fastapi: {${attribute}}}\n`)).toEqual([]);
  });

  it.each([
    ["host", "E-VAR"],
    ["linked_host", "E-VAR"],
    ["api_key", "E-SECRET-PLAINTEXT"],
  ])("refuses the config key %s with %s", async (key, code) => {
    expect(await errors(`components: {fastapi: {config: {${key}: something}}}\n`)).toContain(code);
  });

  it.each([
    [
      "a name that Kubernetes writes like another",
      "components: {a_b: {type: kafka}, a-b: {type: kafka}}",
      ["E-DUP"],
    ],
    ["two secrets of one name", "components: {cnpg: {databases: [a_b, a-b]}}", ["E-DUP"]],
    ["a name with capitals", "components: {Kafka: {type: kafka}}", ["E-SHAPE"]],
    ["a built-in of another type", "components: {mcp: {type: kafka}}", ["E-LINK-TYPE"]],
    ["a second server", "components: {fastmcp: }", ["E-LINK-TYPE"]],
    ["a topic twice", "components: {kafka: {topics: [a, a]}}", ["E-DUP"]],
    ["components as a list", "components: [kafka]", ["E-SHAPE"]],
    ["no components", "owner: me", ["E-MISSING"]],
    ["replicas without shared state", "components: {mcp: {replicas: 2}}", ["E-MISSING"]],
    ["shared state in the wrong type", "components: {kafka: , mcp: {replicas: 2, state: kafka}}", ["E-REF"]],
    ["an export of nothing", "components: {kafka: }\nexports: {kafak: {to: [other]}}", ["E-REF"]],
    [
      "a word that no export has",
      "components: {kafka: }\nexports: {kafka: {to: [other], access: owner}}",
      ["E-ACCESS"],
    ],
  ])("refuses %s", async (_, body, expected) => {
    expect(await errors(`${body}\n`)).toEqual(expected);
  });

  it("warns of names that mislead and of components without links", async () => {
    const result = await loadDemo(
      "apiVersion: topology/v1\nstack: other\ncomponents:\n  kafka: {type: rabbitmq}\n",
    );
    expect(summary(result)).toEqual(["2 W-NAME", "4 W-NAME", "4 W-UNLINKED"]);
    expect(result.stack).not.toBeNull();
  });
});

describe("links", () => {
  const TWO =
    "components: {apisix: , fastapi: , cnpg: {databases: [a, b]}, kafka: {topics: [orders]}, rabbitmq: {queues: [q], exchanges: [q]}}\n";

  it("S15: a gateway's link carries route attributes, another's does not", async () => {
    const route = "{subdomain: api, auth: oidc, rate_limit: 100/s}";
    const base = await topology(`${TWO}links: {apisix: {fastapi: ${route}, mcp: {auth: key-auth}}}\n`);
    expect(base.links.map(({ id, attributes }) => [id, attributes])).toEqual([
      ["apisix->fastapi", { auth: "oidc", rate_limit: "100/s", subdomain: "api" }],
      ["apisix->mcp", { auth: "key-auth" }],
    ]);
    expect(await errors(`${TWO}links: {fastapi: {kafka: ${route}}}\n`)).toEqual([
      "E-UNKNOWN-KEY",
      "E-UNKNOWN-KEY",
      "E-UNKNOWN-KEY",
    ]);
  });

  it("tells several links between the same ends apart by name", async () => {
    const base = await topology(
      `${TWO}links: {fastapi: {kafka/orders: [{name: in, access: consume}, {name: out, access: produce}]}}\n`,
    );
    expect(base.links.map(({ id }) => id)).toEqual(["fastapi->kafka/orders#in", "fastapi->kafka/orders#out"]);
    expect(await errors(`${TWO}links: {fastapi: {kafka/orders: [{name: in}, {name: in}]}}\n`)).toEqual([
      "E-DUP",
    ]);
    expect(await errors(`${TWO}links: {fastapi: {kafka/orders: [{access: consume}]}}\n`)).toEqual([
      "E-MISSING",
    ]);
  });

  it("writes the kind into an id only when the name is ambiguous", async () => {
    const base = await topology(
      `${TWO}links: {fastapi: {rabbitmq/queue:q: consume, kafka/topic:orders: both}}\n`,
    );
    expect(base.links.map(({ id }) => id)).toEqual(["fastapi->kafka/orders", "fastapi->rabbitmq/queue:q"]);
  });

  it.each([
    ["one link in two ways of writing", "fastapi: {kafka/orders: both, kafka/topic:orders: both}", "E-DUP"],
    ["a link with itself", "kafka: {kafka/orders: }", "E-LINK-TYPE"],
    ["a link to the stack agent from elsewhere", "fastapi: {stack_agent: }", "E-LINK-TYPE"],
    ["a link from the stack agent", "stack_agent: {kafka: }", "E-LINK-TYPE"],
    ["a source that is not drawn", "nothing: {kafka: }", "E-REF"],
    ["a word where none fits", "fastapi: {apisix: read}", "E-ACCESS"],
    ["a number as access", "fastapi: {kafka: 5}", "E-SHAPE"],
  ])("refuses %s", async (_, links, code) => {
    expect(await errors(`${TWO}links: {${links}}\n`)).toEqual([code]);
  });
});

describe("links from mcp", () => {
  const DRAWN =
    "components: {cnpg: {databases: [app, audit]}, valkey: , kafka: {topics: [orders]}, apisix: }\n";

  async function drawn(link: string): Promise<readonly string[]> {
    return (await topology(`${DRAWN}links: {mcp: {stack_agent: , ${link}}}\n`)).mcpLinks.map(
      (one) => one.drawn,
    );
  }

  it("S11: reaches every database, or those that are named, each as far as its word says", async () => {
    const all = await topology(`${DRAWN}links: {mcp: {cnpg: propose}}\n`);
    expect(all.mcpLinks[0]).toMatchObject({
      access: "propose",
      narrowed: false,
      targets: [{ sub: { name: "app" } }, { sub: { name: "audit" } }],
    });
    const some = await topology(`${DRAWN}links: {mcp: {cnpg: {only: {audit: read, app: write}}}}\n`);
    expect(some.mcpLinks[0]).toMatchObject({
      access: "write",
      narrowed: true,
      targets: [
        { sub: { name: "app" }, access: "write" },
        { sub: { name: "audit" }, access: "read" },
      ],
    });
    expect(some.mcpLinks[0]?.drawn).toBe("cnpg: {only: {app: write, audit: read}}");
  });

  it.each([
    ["cnpg: ", "cnpg: read"],
    ["cnpg/app: write", "cnpg: {access: write, only: [app]}"],
    ["cnpg: {only: [audit, app]}", "cnpg: {access: read, only: [app, audit]}"],
    [
      "valkey: {tools: [valkey_set], access: write, limits: {perTool: 10/min}}",
      "valkey: {access: write, tools: [valkey_set], limits: {perTool: 10/min}}",
    ],
    [
      'valkey: {access: propose, approvers: ["group:sre"]}',
      'valkey: {access: propose, approvers: ["group:sre"]}',
    ],
    ["valkey: {access: read, tools: [valkey_set]}", "valkey: read"],
  ])("writes %s in one way", async (written, canonical) => {
    expect(await drawn(written)).toContain(canonical);
  });

  it("says that a type has no tools yet, and generates the rest", async () => {
    const { stack, diagnostics } = await loadDemo(
      `${HEAD}${DRAWN}links: {mcp: {stack_agent: , kafka: read, valkey: read}}\n`,
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["W-UNLINKED", "W-UNLINKED", "W-NO-TOOLS-YET"]);
    expect(stack?.base.links.map(({ id }) => id)).toContain("mcp->kafka");
    expect(stack?.base.mcpLinks.map(({ id }) => id)).toEqual(["mcp->stack_agent", "mcp->valkey"]);
  });

  it.each([
    ["a type that never has tools", "apisix: read", "E-NO-TOOLS"],
    ["a word of another language", "valkey: readwrite", "E-ACCESS"],
    ["only as a map beside access", "cnpg: {access: read, only: {app: write}}", "E-SHAPE"],
    ["a name under only that is not drawn", "cnpg: {only: [ap]}", "E-REF"],
    ["an empty only", "cnpg: {only: []}", "E-SHAPE"],
    ["an unknown tool", "valkey: {access: write, tools: [valkey_sett]}", "E-REF"],
    ["a read tool under tools", "valkey: {access: write, tools: [valkey_get]}", "E-REF"],
    ["a limit without a unit", "valkey: {limits: {perTool: 10}}", "E-SHAPE"],
    ["route attributes", "valkey: {subdomain: x}", "E-UNKNOWN-KEY"],
    ["mcp itself", "mcp: read", "E-LINK-TYPE"],
  ])("refuses %s", async (_, link, code) => {
    expect(await errors(`${DRAWN}links: {mcp: {${link}}}\n`)).toEqual([code]);
  });

  it("asks for two links to one component to be written as one, and says how", async () => {
    const message = await firstMessage(`${DRAWN}links: {mcp: {cnpg/app: read, cnpg/audit: write}}\n`);
    expect(message).toContain("cnpg: {only: {app: read, audit: write}}");
  });

  it("refuses two links that would give tools of one name", async () => {
    expect(await errors("components: {s3: , minio: }\nlinks: {mcp: {s3: read, minio: read}}\n")).toEqual([
      "E-DUP",
    ]);
    expect(
      await errors("components: {s3: , archive: {type: minio}}\nlinks: {mcp: {s3: read, archive: read}}\n"),
    ).toEqual([]);
  });
});

describe("access rules", () => {
  const GRANT =
    'components: {kafka: }\naccess: {grants: {a: {subject: {agent: x}, maxTrust: low, expires: "2026-01-31"}}}\n';

  it("R2: resolves limits, approvals, trust and grants", async () => {
    const base = await topology(`components: {kafka: }
access:
  limits: {perSession: 300/min}
  approvals: {approvers: ["group:sre"], ttl: 15m}
  trust: {valkey_set: high}
  grants:
    copilot: {subject: {agent: ops}, maxTrust: medium, tools: {deny: ["valkey_*"]}, expires: "2027-01-31"}
`);
    expect(base.access).toEqual({
      oauth: null,
      limits: { perSession: "300/min" },
      approvals: { approvers: ["group:sre"], ttl: "15m" },
      trust: { valkey_set: "high" },
      grants: [
        {
          name: "copilot",
          subject: { agent: "ops" },
          maxTrust: "medium",
          tools: { allow: [], deny: ["valkey_*"] },
          expires: "2027-01-31",
        },
      ],
    });
  });

  it("looks at the date only when it is told the day", async () => {
    expect(await codes(GRANT)).not.toContain("W-GRANT-EXPIRED");
    expect(await codes(GRANT, { today: "2026-01-30" })).not.toContain("W-GRANT-EXPIRED");
    expect(await codes(GRANT, { today: "2026-02-01" })).toContain("W-GRANT-EXPIRED");
  });

  it.each(["maxTrust: huge", "subject: {}", "expires: tomorrow", 'expires: "2026-02-31x"'])(
    "refuses %s in a grant",
    async (attribute) => {
      const defaults = attribute.startsWith("subject")
        ? "maxTrust: low"
        : attribute.startsWith("maxTrust")
          ? "subject: {agent: x}"
          : "subject: {agent: x}, maxTrust: low";
      expect(
        await errors(`components: {kafka: }\naccess: {grants: {a: {${defaults}, ${attribute}}}}\n`),
      ).toEqual(["E-SHAPE"]);
    },
  );
});

describe("other stacks", () => {
  const EXTERNAL =
    "components: {metrics: {type: prometheus, external: {stack: sre, component: master}, host: prom.example.com, cidr: 203.0.113.0/24}}\nlinks: {mcp: {stack_agent: , metrics: WORD}}\n";
  const exports = (text: string): Partial<LoadInput> => ({
    neighbours: (stack) =>
      stack === "sre"
        ? new TextEncoder().encode(`apiVersion: topology/v1\nstack: sre\ncomponents: {}\n${text}\n`)
        : undefined,
  });

  it.each([
    ["no export", "read", "exports: {}", ["E-NOT-EXPORTED"]],
    ["an export to somebody else", "read", "exports: {master: {to: [shop]}}", ["E-NOT-EXPORTED"]],
    ["an export to this stack", "read", "exports: {master: {to: [demo]}}", []],
    ["more than was exported", "write", "exports: {master: {to: [demo], access: read}}", ["E-NOT-EXPORTED"]],
    ["a file that cannot be read", "read", "exports: {{", ["E-NOT-EXPORTED"]],
  ])("S12: with %s, a link with %s", async (_, word, text, expected) => {
    expect(await errors(EXTERNAL.replace("WORD", word), exports(text))).toEqual(expected);
  });

  it("leaves a stack of another repository alone", async () => {
    expect(await errors(EXTERNAL.replace("WORD", "read"))).toEqual([]);
  });

  it("warns when nothing says where an external component is", async () => {
    const body = EXTERNAL.replace("WORD", "read");
    expect(await codes(body.replace(", cidr: 203.0.113.0/24", ""))).toEqual(["W-NO-EGRESS"]);
    expect(await codes(body.replace("cidr: 203.0.113.0/24", "namespace: monitoring"))).toEqual([]);
    expect(await errors(body.replace("host: prom.example.com, ", ""))).toEqual(["E-MISSING"]);
  });
});
