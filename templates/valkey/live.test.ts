import { spawnSync } from "node:child_process";
import { Redis } from "ioredis";
import { settingsOf } from "#runtime/settings";
import { openValkey, withConnection } from "#runtime/valkey/connection";
import { passesFor } from "#runtime/valkey/keyspace";
import { readPage } from "#runtime/valkey/page";
import { passReader, withMeta } from "#runtime/valkey/scan";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Component, McpLink } from "../../generator/model/topology.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { freePort, liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { FORBIDDEN, flood, renderAccount, sampleLink, seed } from "./live.ts";
import { link as sampleFacts, tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const ACCOUNT_PASSWORD = "p w:é;'\"#of-the-account";

let server: LiveServer;
let admin: Redis;
let module: OpenModule;

function redisCli(args: readonly string[], input: string): string {
  const cli = spawnSync("redis-cli", ["-p", String(server.port), ...args], { input, encoding: "utf8" });
  return (cli.stdout + cli.stderr).trim();
}

/** As the README says: the rendered command, then the password through standard input. */
function applyAccount(account: string, link: McpLink, effects: readonly string[]): void {
  expect(redisCli([], renderAccount(link, effects))).toBe("OK");
  expect(redisCli(["-x", "ACL", "SETUSER", account], `>${ACCOUNT_PASSWORD}`)).toBe("OK");
}

const loginAs = (username: string): Redis =>
  new Redis({
    port: server.port,
    username,
    password: ACCOUNT_PASSWORD,
    protocol: 2,
    retryStrategy: () => null,
  });

beforeAll(async () => {
  expect(liveVersion("valkey"), "run: bash templates/valkey/live.sh install").toMatch(/^\d+\.\d+/);
  server = await startLive("valkey");
  admin = new Redis({ port: server.port, protocol: 2 });
  applyAccount("mcp_valkey", sampleLink, ["read", "additive", "destructive"]);
  module = openModule(tools, {
    MCP_VALKEY_HOST: "127.0.0.1",
    MCP_VALKEY_PORT: String(server.port),
    MCP_VALKEY_USER: "mcp_valkey",
    MCP_VALKEY_PASSWORD: ACCOUNT_PASSWORD,
  });
  await seed(admin);
});

afterAll(async () => {
  await module.close();
  admin.disconnect();
  await server.stop();
});

describe("every tool with data", () => {
  it("S32: valkey_info parses one section and leaves addresses out", async () => {
    const memory = await module.call("valkey_info");
    expect(memory.data).toMatchObject({ section: "memory", values: { used_memory: expect.any(Number) } });
    const info = JSON.stringify(await module.call("valkey_info", { section: "server" }));
    expect(info).toContain("redis_version");
    expect(info).not.toMatch(/executable|config_file|run_id/);
    for (const section of ["clients", "stats", "replication", "persistence"]) {
      const { data } = await module.call("valkey_info", { section });
      expect(Object.keys((data as { values: object }).values).length).toBeGreaterThan(2);
    }
  });

  it("valkey_dbsize counts the drawn keyspaces and nothing else", async () => {
    const { data } = await module.call("valkey_dbsize");
    expect(data).toEqual({
      db: 0,
      keyspaces: [
        { keyspace: "session", prefix: "session:", keys: 1, complete: true },
        { keyspace: "app", prefix: "app:", keys: 10, complete: true },
      ],
    });
  });

  it("valkey_scan_keys finds by pattern, type and without either", async () => {
    const all = await module.call("valkey_scan_keys");
    const { keys } = all.data as { keys: string[] };
    expect(keys.toSorted()).toEqual([
      "app:bytes",
      "app:empty",
      "app:hash",
      "app:json",
      "app:list",
      "app:set",
      "app:stream",
      "app:text",
      "app:ttl",
      "app:zset",
      "session:1",
    ]);
    expect(all.page).toEqual({ returned: 11, total: null, next_cursor: null });
    expect(all.truncation).toBeUndefined();
    expect(all.warnings).toEqual(["1 keys left out: not text, or longer than 1024"]);
    const hashes = await module.call("valkey_scan_keys", { pattern: "app:*", type: "hash", with_meta: true });
    expect(hashes.data).toEqual({ keys: [{ key: "app:hash", type: "hash", ttl_ms: -1 }] });
  });

  it("valkey_get reads text, JSON and bytes", async () => {
    expect((await module.call("valkey_get", { key: "app:text" })).data).toEqual({
      key: "app:text",
      encoding: "text",
      value: "grüße",
      length: 7,
      ttl_ms: -1,
    });
    expect((await module.call("valkey_get", { key: "app:json", decode: "json" })).data).toMatchObject({
      value: { a: [1, 2] },
    });
    expect((await module.call("valkey_get", { key: "app:bytes" })).data).toMatchObject({
      encoding: "base64",
      value: "/wAB",
    });
    expect((await module.call("valkey_get", { key: "app:empty" })).data).toMatchObject({
      value: "",
      length: 0,
    });
  });

  it("valkey_get proves a cut with the length and never splits a character", async () => {
    const cut = await module.call("valkey_get", { key: "app:text", max_bytes: 3 });
    expect(cut.data).toMatchObject({ value: "gr", length: 7 });
    expect(cut.truncation).toEqual({ by: "bytes", limit: 3 });
    expect((await module.call("valkey_get", { key: "app:text", max_bytes: 7 })).truncation).toBeUndefined();
    await expect(
      module.call("valkey_get", { key: "app:json", decode: "json", max_bytes: 3 }),
    ).rejects.toMatchObject({ code: "too_large" });
    await expect(module.call("valkey_get", { key: "app:text", decode: "json" })).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  it("valkey_type_and_ttl describes every type", async () => {
    const lengths = { text: 7, hash: 4, list: 2, set: 1, zset: 1, stream: 1 };
    for (const [name, length] of Object.entries(lengths)) {
      const { data } = await module.call("valkey_type_and_ttl", { key: `app:${name}` });
      expect(data).toMatchObject({
        type: name === "text" ? "string" : name,
        length,
        ttl_ms: -1,
        encoding: expect.any(String),
        memory_bytes: expect.any(Number),
      });
    }
    const { data } = await module.call("valkey_type_and_ttl", { key: "app:ttl" });
    expect((data as { ttl_ms: number }).ttl_ms).toBeGreaterThan(50_000);
  });

  it("valkey_hgetall gives fields by name, and says which value was cut", async () => {
    const result = await module.call("valkey_hgetall", { key: "app:hash" });
    const { fields } = result.data as { fields: Record<string, string> };
    expect(Object.keys(fields).sort()).toEqual(["__proto__", "big", "name", "token"]);
    expect(fields["big"]).toMatch(/^v{2048}… \(5000 bytes\)$/);
    expect(result.page).toEqual({ returned: 4, total: 4, next_cursor: null });
    expect(result.truncation).toEqual({ by: "cells", limit: 2048 });
  });

  it("a missing key is not_found and a wrong type says what it is", async () => {
    for (const tool of ["valkey_get", "valkey_type_and_ttl", "valkey_hgetall"]) {
      await expect(module.call(tool, { key: "app:none" })).rejects.toMatchObject({ code: "not_found" });
    }
    await expect(module.call("valkey_get", { key: "app:hash" })).rejects.toThrow(
      "holds a hash, not a string",
    );
    await expect(module.call("valkey_hgetall", { key: "app:list" })).rejects.toThrow(
      "holds a list, not a hash",
    );
  });

  it("S10: valkey_set and valkey_delete write what was drawn for writing", async () => {
    const written = { key: "app:new", value: "1", ttl_s: 60, reason: "a test of the tool" };
    expect((await module.call("valkey_set", { ...written, mode: "xx" })).data).toEqual({
      key: "app:new",
      stored: false,
    });
    expect((await module.call("valkey_set", { ...written, mode: "nx" })).data).toEqual({
      key: "app:new",
      stored: true,
    });
    expect((await module.call("valkey_set", { ...written, mode: "nx" })).data).toMatchObject({
      stored: false,
    });
    expect(await admin.ttl("app:new")).toBeGreaterThan(50);
    await module.call("valkey_set", {
      reason: "a test of writes",
      key: "app:new",
      value: "2",
      persist: true,
    });
    expect([await admin.get("app:new"), await admin.ttl("app:new")]).toEqual(["2", -1]);
    const deleted = await module.call("valkey_delete", {
      reason: "a test of writes",
      keys: ["app:new", "app:new", "app:none"],
    });
    expect(deleted.data).toEqual({ deleted: ["app:new"], missing: ["app:none"] });
    expect(await admin.exists("app:new")).toBe(0);
  });
});

describe("outside the drawing", () => {
  it("S1: a key of another prefix is refused by every tool before the server is asked", async () => {
    const before = await admin.info("commandstats");
    for (const tool of ["valkey_get", "valkey_type_and_ttl", "valkey_hgetall"]) {
      await expect(module.call(tool, { key: "other:1" })).rejects.toMatchObject({ code: "denied" });
    }
    await expect(
      module.call("valkey_set", { reason: "a test of writes", key: "other:2", value: "", persist: true }),
    ).rejects.toMatchObject({ code: "denied" });
    await expect(
      module.call("valkey_delete", { reason: "a test of writes", keys: ["app:text", "other:1"] }),
    ).rejects.toMatchObject({
      code: "denied",
    });
    const calls = (stats: string): string | undefined => /cmdstat_auth:calls=(\d+)/.exec(stats)?.[1];
    expect(calls(await admin.info("commandstats"))).toBe(calls(before));
    expect(await admin.exists("app:text")).toBe(1);
  });

  it("a keyspace drawn for reading is not written", async () => {
    await expect(
      module.call("valkey_set", { reason: "a test of writes", key: "session:1", value: "", persist: true }),
    ).rejects.toThrow("drawn for reading");
    await expect(
      module.call("valkey_delete", { reason: "a test of writes", keys: ["session:1"] }),
    ).rejects.toThrow("drawn for reading");
  });

  it("a pattern cannot reach another prefix", async () => {
    for (const pattern of ["*", "?pp:*", "[ao]*", "other:*", "\\*", "ap*", "app*"]) {
      await expect(module.call("valkey_scan_keys", { pattern }), pattern).rejects.toMatchObject({
        code: "denied",
      });
    }
    const escaped = await module.call("valkey_scan_keys", { pattern: "\\app:te*" });
    expect(escaped.data).toEqual({ keys: ["app:text"] });
  });

  it("another database and its counts are refused", async () => {
    await expect(module.call("valkey_dbsize", { db: 1 })).rejects.toMatchObject({ code: "denied" });
    await expect(module.call("valkey_info", { section: "keyspace" })).rejects.toMatchObject({
      code: "denied",
    });
  });
});

describe("the account on the server", () => {
  it("S5: never holds the password in its file", () => {
    expect(renderAccount(sampleLink, ["read"])).not.toMatch(/[>#]|nopass/);
  });

  it("is what the commands of the emitted README make, and they keep the password afterwards", async () => {
    await admin.call("ACL", "SETUSER", "admin", "on", ">administrator", "~*", "&*", "+@all");
    const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components:
  cache: {type: valkey, host: 127.0.0.1, port: ${server.port}, keyspaces: {app: {prefix: "app:"}, session: {prefix: "session:"}}}
links: {mcp: {cache: {only: {app: write, session: read}}}}
`);
    const applied = { REDISCLI_AUTH: "administrator", MCP_CACHE_PASSWORD: ACCOUNT_PASSWORD };
    principals.apply("cache", applied);
    principals.apply("cache", applied);
    principals.remove();
    const account = loginAs("mcp_cache");
    expect(await account.get("app:text")).toBe("grüße");
    expect(await account.set("app:readme", "1", "EX", 1)).toBe("OK");
    for (const [command, ...args] of FORBIDDEN) {
      await expect(account.call(command, args), `${command} ${args.join(" ")}`).rejects.toThrow(/^NOPERM/);
    }
    account.disconnect();
    await admin.call("ACL", "DELUSER", "admin");
  });

  it("refuses what the tools never do, whoever holds the password", async () => {
    const account = loginAs("mcp_valkey");
    account.on("error", () => undefined);
    for (const [command, ...args] of FORBIDDEN) {
      await expect(account.call(command, args), `${command} ${args.join(" ")}`).rejects.toThrow(/^NOPERM/);
    }
    account.disconnect();
  });

  it("S10: without write tools it cannot write even its own prefix", async () => {
    applyAccount(
      "mcp_valkey_ro",
      { ...sampleLink, component: { name: "valkey_ro", attributes: {} } as unknown as Component },
      ["read"],
    );
    const account = loginAs("mcp_valkey_ro");
    expect(await account.get("app:text")).toBe("grüße");
    for (const [command, ...args] of [
      ["set", "app:x", "1"],
      ["unlink", "app:text"],
      ["expire", "app:text", "1"],
    ] as const) {
      await expect(account.call(command, args)).rejects.toThrow(/^NOPERM/);
    }
    account.disconnect();
  });

  it("a link with valkey_set alone cannot delete", async () => {
    const link = { ...sampleLink, component: { name: "setter", attributes: {} } as unknown as Component };
    applyAccount("mcp_setter", link, ["read", "additive"]);
    const account = loginAs("mcp_setter");
    expect(await account.set("app:x", "1", "EX", 1)).toBe("OK");
    await expect(account.unlink("app:x")).rejects.toThrow(/^NOPERM/);
    account.disconnect();
  });

  it("a prefix with glob characters matches itself only", async () => {
    const target = (prefix: string) => ({ access: "read", sub: { name: "odd", attributes: { prefix } } });
    const odd = {
      ...sampleLink,
      component: { name: "odd", attributes: {} },
      targets: [target("a[bc]*?\\:")],
    } as unknown as McpLink;
    applyAccount("mcp_odd", odd, ["read"]);
    await admin.mset("a[bc]*?\\:1", "own", "ab:1", "foreign", "abxy:1", "foreign");
    const account = loginAs("mcp_odd");
    expect(await account.get("a[bc]*?\\:1")).toBe("own");
    for (const key of ["ab:1", "abxy:1"]) await expect(account.get(key)).rejects.toThrow(/^NOPERM/);
    account.disconnect();
  });

  it("S5: a wrong password is denied and neither the user nor the password is in the answer", async () => {
    const wrong = openModule(tools, {
      MCP_VALKEY_PORT: String(server.port),
      MCP_VALKEY_USER: "mcp_valkey",
      MCP_VALKEY_PASSWORD: "not-this-one",
    });
    const failure: unknown = await wrong
      .call("valkey_get", { key: "app:text" })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "denied" });
    expect(String(failure) + JSON.stringify(failure)).not.toMatch(/not-this-one|mcp_valkey\b/);
  });
});

describe("keyspaces in several databases", () => {
  const target = (name: string, db: number) => ({
    access: "read",
    sub: { name, attributes: { prefix: "app:", db } },
  });
  const link = {
    ...sampleLink,
    component: { name: "spread", attributes: {} },
    targets: [target("first", 0), target("second", 1)],
  } as unknown as McpLink;

  it("the account reaches the drawn databases and no other", async () => {
    applyAccount("mcp_spread", link, ["read"]);
    const account = loginAs("mcp_spread");
    expect(await account.select(1)).toBe("OK");
    expect(await account.get("app:elsewhere")).toBe("database 1");
    await expect(account.select(2)).rejects.toThrow(/^NOPERM/);
    account.disconnect();
  });

  it("one page goes through all of them, and describes each key where it is", async () => {
    const environment = {
      MCP_VALKEY_PORT: String(server.port),
      MCP_VALKEY_USER: "mcp_spread",
      MCP_VALKEY_PASSWORD: ACCOUNT_PASSWORD,
    };
    const valkey = openValkey(
      sampleFacts,
      settingsOf(sampleFacts, environment, () => undefined),
    );
    const spaces = [
      { name: "second", prefix: "app:else", database: 1 },
      { name: "first", prefix: "app:t", database: 0 },
    ];
    const limits = { rows: 9, bytes: 999, rounds: 9, bytesOf: () => 1 };
    const described = await withConnection(valkey, 0, new AbortController().signal, async (redis) => {
      const page = await readPage(
        "0:0+0",
        limits,
        passReader(redis, spaces, passesFor(spaces, undefined), "string", () => undefined),
      );
      return await withMeta(redis, page.items);
    });
    expect(described).toHaveLength(3);
    expect(described).toContainEqual({ key: "app:elsewhere", type: "string", ttl_ms: -1 });
    expect(described).toContainEqual({ key: "app:text", type: "string", ttl_ms: -1 });
  });
});

describe("floods", () => {
  const timed = async (tool: string, args: Record<string, unknown>, withinMs: number) => {
    const started = performance.now();
    const result = await module.call(tool, args);
    const elapsed = performance.now() - started;
    expect(elapsed, `${tool} took ${Math.round(elapsed)} ms`).toBeLessThan(withinMs);
    expect(JSON.stringify(result).length).toBeLessThanOrEqual(HARD_LIMIT);
    return result;
  };

  beforeAll(async () => {
    await flood(admin);
  });

  it("100 000 keys: pages hold every key once", async () => {
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const result = await timed(
        "valkey_scan_keys",
        { pattern: "app:flood:*", count: 1000, ...(cursor === null ? {} : { cursor }) },
        2000,
      );
      const { keys } = result.data as { keys: string[] };
      for (const key of keys) {
        expect(seen.has(key)).toBe(false);
        seen.add(key);
      }
      cursor = result.page?.next_cursor ?? null;
      if (cursor !== null && result.truncation !== undefined)
        expect(result.truncation.by).toMatch(/rows|bytes/);
    } while (cursor !== null);
    expect(seen.size).toBe(100_000);
  });

  it("100 000 keys: a rare match is found over several calls, each bounded", async () => {
    let cursor: string | null = null;
    let calls = 0;
    const found: string[] = [];
    do {
      const result = await timed(
        "valkey_scan_keys",
        { pattern: "app:flood:99999", ...(cursor === null ? {} : { cursor }) },
        2000,
      );
      found.push(...(result.data as { keys: string[] }).keys);
      cursor = result.page?.next_cursor ?? null;
      calls += 1;
    } while (cursor !== null);
    expect(found).toEqual(["app:flood:99999"]);
    expect(calls).toBeGreaterThan(3);
  });

  it("100 000 keys: counted, and with_meta for a thousand", async () => {
    const { data } = await timed("valkey_dbsize", {}, 3000);
    expect(data).toMatchObject({ keyspaces: [{}, { keyspace: "app", complete: true }] });
    const metas = await timed(
      "valkey_scan_keys",
      { pattern: "app:flood:*", count: 1000, with_meta: true },
      3000,
    );
    expect(metas.truncation).toBeDefined();
  });

  it("a hash of a million fields gives a page at once", async () => {
    const result = await timed("valkey_hgetall", { key: "app:million", limit: 1000 }, 1000);
    expect(result.page).toMatchObject({ returned: 1000, total: 1_000_000, next_cursor: expect.any(String) });
    expect(result.truncation).toMatchObject({ by: "rows", limit: 1000 });
    const first = Object.keys((result.data as { fields: object }).fields);
    const second = await timed(
      "valkey_hgetall",
      { key: "app:million", limit: 1000, cursor: result.page?.next_cursor },
      1000,
    );
    const fields = Object.keys((second.data as { fields: object }).fields);
    expect(fields).toHaveLength(1000);
    expect(fields.filter((field) => first.includes(field))).toEqual([]);
  });

  it("a value of 20 MB is read up to the limit only", async () => {
    const result = await timed("valkey_get", { key: "app:large", max_bytes: 65_536 }, 1000);
    expect(result.data).toMatchObject({ length: 20_000_000, encoding: "text" });
    expect(result.truncation).toEqual({ by: "bytes", limit: 65_536 });
  });

  it("a hash whose few fields are 40 MB is refused after 8 MiB", async () => {
    await expect(timed("valkey_hgetall", { key: "app:wide", limit: 1000 }, 2000)).rejects.toMatchObject({
      code: "too_large",
    });
  });

  it("a pattern that makes a naive matcher slow is quick or refused", async () => {
    await admin.set(`app:${"a".repeat(1000)}`, "x");
    await timed("valkey_scan_keys", { pattern: `app:${"a*".repeat(5)}b` }, 2000);
    await expect(module.call("valkey_scan_keys", { pattern: `app:${"*a".repeat(6)}` })).rejects.toThrow(
      "more than 5 stars",
    );
  });
});

describe("cancellation", () => {
  it("ends the call and its connection while the server is busy", async () => {
    const controller = new AbortController();
    const sleeping = admin.call("DEBUG", ["SLEEP", "1"]).catch(() => undefined);
    const busy = module.call("valkey_get", { key: "app:text" }, controller.signal);
    const started = performance.now();
    setTimeout(() => controller.abort(new Error("caller went away")), 200);
    await expect(busy).rejects.toThrow("caller went away");
    expect(performance.now() - started).toBeLessThan(700);
    await sleeping;
    expect((await module.call("valkey_get", { key: "app:text" })).data).toMatchObject({ value: "grüße" });
    expect(await admin.client("LIST")).not.toContain("mcp->valkey");
  });

  it("an aborted signal opens no connection", async () => {
    await expect(
      module.call("valkey_get", { key: "app:text" }, AbortSignal.abort(new Error("too late"))),
    ).rejects.toThrow("too late");
  });
});

describe("TLS", () => {
  const certificate = (folder: string): void => {
    const made = spawnSync(
      "openssl",
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem".split(
        " ",
      ),
      { cwd: folder, encoding: "utf8" },
    );
    expect(made.status, made.stderr).toBe(0);
  };

  it("works with a trusted authority and refuses any other, never without checking", async () => {
    const folder = server.folder;
    certificate(folder);
    const port = await freePort();
    await admin.call("CONFIG", [
      "SET",
      "tls-cert-file",
      `${folder}/cert.pem`,
      "tls-key-file",
      `${folder}/key.pem`,
      "tls-auth-clients",
      "no",
      "tls-ca-cert-file",
      `${folder}/cert.pem`,
      "tls-port",
      String(port),
    ]);
    const environment = {
      MCP_VALKEY_HOST: "localhost",
      MCP_VALKEY_PORT: String(port),
      MCP_VALKEY_TLS: "true",
      MCP_VALKEY_USER: "mcp_valkey",
      MCP_VALKEY_PASSWORD: ACCOUNT_PASSWORD,
    };
    await expect(
      openModule(tools, environment).call("valkey_get", { key: "app:text" }),
    ).rejects.toMatchObject({
      code: "upstream_unavailable",
      message: "the server's certificate is not trusted",
    });
    const script = `
      import { openModule } from "./test/harness/module.ts";
      import { tools } from "./templates/valkey/tools.ts";
      const module = openModule(tools, process.env);
      console.log(JSON.stringify((await module.call("valkey_get", { key: "app:text" })).data));
    `;
    const trusting = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      env: { ...process.env, ...environment, NODE_EXTRA_CA_CERTS: `${folder}/cert.pem` },
      encoding: "utf8",
    });
    expect(trusting.stdout + trusting.stderr).toContain("grüße");
  });
});
