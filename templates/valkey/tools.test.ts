import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { readInfo } from "#runtime/valkey/info";
import { escapeGlob, ownerOf, passesFor } from "#runtime/valkey/keyspace";
import { readPage } from "#runtime/valkey/page";
import type { Page } from "#runtime/valkey/page";
import { textOf, wholeCharacters } from "#runtime/valkey/text";
import type { McpLink } from "../../generator/model/topology.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { droppingPort } from "../../test/harness/dropping-port.ts";
import { freePort } from "../../test/live/server.ts";
import types, { keyspacesOf } from "./component.ts";
import { renderAccount, sampleLink } from "./live.ts";
import { tools } from "./tools.ts";

const opened: { module: OpenModule; server?: Server }[] = [];

function moduleAt(port: number, environment: Record<string, string> = {}): OpenModule {
  const module = openModule(tools, {
    MCP_VALKEY_HOST: "127.0.0.1",
    MCP_VALKEY_PORT: String(port),
    ...environment,
  });
  opened.push({ module });
  return module;
}

/** Something that listens where a Valkey is expected. */
async function listener(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push({ module: moduleAt(0), server });
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const { module, server } of opened.splice(0)) {
    await module.close();
    server?.close();
  }
});

describe("the tools as data", () => {
  it("S32: the names are those of the sources, reads before writes", () => {
    expect(moduleAt(1).names).toEqual(
      "valkey_info valkey_dbsize valkey_scan_keys valkey_get valkey_type_and_ttl valkey_hgetall valkey_set valkey_delete".split(
        " ",
      ),
    );
  });

  it("P7: every description says when to use the tool and stays short", () => {
    for (const tool of tools.tools) {
      expect(tool.description).toMatch(/^Use /);
      expect(tool.description.length).toBeLessThan(200);
    }
  });

  it("S10: only the two write tools are marked as such", () => {
    const effects = Object.fromEntries(tools.tools.map(({ name, effect }) => [name, effect]));
    expect(Object.entries(effects).filter(([, effect]) => effect !== "read")).toEqual([
      ["valkey_set", "additive"],
      ["valkey_delete", "destructive"],
    ]);
  });

  it("R5: no parameter names a host, a credential or a command", () => {
    for (const { inputSchema } of tools.tools) {
      expect(JSON.stringify(inputSchema)).not.toMatch(/host|port|url|user|password|command/i);
      expect(inputSchema).toMatchObject({ additionalProperties: false });
    }
  });
});

describe("arguments", () => {
  it.each([
    ["valkey_get", {}],
    ["valkey_get", { key: "" }],
    ["valkey_get", { key: "app:x", max_bytes: 65_537 }],
    ["valkey_get", { key: "app:x", host: "elsewhere" }],
    ["valkey_get", { key: ["app:x"] }],
    ["valkey_scan_keys", { count: 1001 }],
    ["valkey_scan_keys", { count: 0 }],
    ["valkey_scan_keys", { type: "module" }],
    ["valkey_hgetall", { key: "app:x", limit: 1001 }],
    ["valkey_info", { section: "everything" }],
    ["valkey_dbsize", { db: -1 }],
    ["valkey_set", { key: "app:x", reason: "a test of writes" }],
    ["valkey_set", { key: "app:x", value: "v", ttl_s: 1 }],
    ["valkey_set", { key: "app:x", value: "v", ttl_s: 0, reason: "a test of writes" }],
    ["valkey_set", { key: "app:x", value: "v", ttl_s: 2_592_001, reason: "a test of writes" }],
    ["valkey_set", { key: "app:x", value: "v".repeat(65_537), ttl_s: 1, reason: "a test of writes" }],
    ["valkey_set", { key: "app:x", value: "v", ttl_s: 1, reason: "short" }],
    ["valkey_delete", { keys: [], reason: "a test of writes" }],
    [
      "valkey_delete",
      { keys: Array.from({ length: 21 }, (_, index) => `app:${index}`), reason: "a test of writes" },
    ],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt(1).call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it("valkey_set wants a time to live or persist, and counts bytes", async () => {
    const module = moduleAt(await freePort());
    const value = { key: "app:x", value: "v", reason: "a test of writes" };
    await expect(module.call("valkey_set", value)).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(module.call("valkey_set", { ...value, ttl_s: 1, persist: true })).rejects.toMatchObject({
      code: "invalid_argument",
    });
    await expect(
      module.call("valkey_set", {
        reason: "a test of writes",
        key: "app:x",
        value: "é".repeat(40_000),
        ttl_s: 1,
      }),
    ).rejects.toThrow("more than 65536 bytes");
  });

  it("a cursor that was made up is refused", async () => {
    const module = moduleAt(await freePort());
    await expect(module.call("valkey_scan_keys", { cursor: "MA" })).rejects.toThrow("does not belong");
    await expect(module.call("valkey_hgetall", { key: "app:x", cursor: "e30" })).rejects.toThrow(
      "does not belong",
    );
  });
});

describe("a server that is not there, or is something else", () => {
  const failure = async (module: OpenModule): Promise<unknown> =>
    await module.call("valkey_get", { key: "app:x" }).catch((error: unknown) => error);

  it("a closed port is an answer at once, without the address", async () => {
    const port = await freePort();
    const started = performance.now();
    const error = await failure(moduleAt(port));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect(String(error)).not.toMatch(new RegExp(`127\\.0\\.0\\.1|${port}`));
  });

  it("a network that drops packets is an answer within three seconds", async () => {
    const dropping = await droppingPort();
    const started = performance.now();
    expect(await failure(moduleAt(dropping.port))).toMatchObject({ code: "upstream_unavailable" });
    expect(performance.now() - started).toBeLessThan(3500);
    await dropping.close();
  });

  it("a name that does not resolve is an answer too", async () => {
    const error = await failure(moduleAt(6379, { MCP_VALKEY_HOST: "no-such-host.invalid" }));
    expect(error).toMatchObject({ code: "upstream_unavailable" });
    expect(String(error)).not.toContain("no-such-host");
  });

  it("TLS against a plain port, and a plain connection that never becomes TLS", async () => {
    const plain = await listener((socket) => socket.end("-ERR this is not TLS\r\n"));
    expect(await failure(moduleAt(plain, { MCP_VALKEY_TLS: "true" }))).toMatchObject({
      code: "upstream_unavailable",
    });
    const silent = await listener(() => undefined);
    const started = performance.now();
    expect(await failure(moduleAt(silent, { MCP_VALKEY_TLS: "true" }))).toMatchObject({
      code: "upstream_unavailable",
    });
    expect(performance.now() - started).toBeLessThan(3500);
  });

  it("a server that speaks another protocol, hangs up or never stops sending", async () => {
    const http = await listener((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await failure(moduleAt(http))).toMatchObject({ code: "upstream_unavailable" });
    const rude = await listener((socket) => socket.destroy());
    expect(await failure(moduleAt(rude))).toMatchObject({ code: "upstream_unavailable" });
    const endless = await listener((socket) => {
      socket.write(`$${600_000_000}\r\n`);
      const send = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536, "x")));
      };
      socket.on("drain", send);
      send();
    });
    expect(await failure(moduleAt(endless))).toMatchObject({ code: "too_large" });
  });

  it("an abort ends a call that waits for a silent server", async () => {
    const silent = await listener(() => undefined);
    const controller = new AbortController();
    const call = moduleAt(silent).call("valkey_get", { key: "app:x" }, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(call).rejects.toThrow("enough");
  });

  it("close ends calls that still run", async () => {
    const silent = await listener(() => undefined);
    const module = moduleAt(silent);
    const call = expect(module.call("valkey_get", { key: "app:x" })).rejects.toMatchObject({
      code: "upstream_unavailable",
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await module.close();
    await call;
  });

  it("a setting that cannot be used names its variable", async () => {
    expect(String(await failure(moduleAt(1, { MCP_VALKEY_TLS: "yes" })))).toContain(
      "MCP_VALKEY_TLS must be true or false",
    );
    expect(String(await failure(moduleAt(1, { MCP_VALKEY_DB: "one" })))).toContain(
      "MCP_VALKEY_DB must be a whole number",
    );
  });
});

describe("keyspaces", () => {
  const spaces = [
    { name: "inner", prefix: "app:inner:", database: 0 },
    { name: "outer", prefix: "app:", database: 1 },
  ];

  it("S1: the most specific one owns a key", () => {
    expect(ownerOf(spaces, "app:inner:1")?.name).toBe("inner");
    expect(ownerOf(spaces, "app:in")?.name).toBe("outer");
    expect(ownerOf(spaces, "ap")).toBeUndefined();
  });

  it("a pattern visits every keyspace that it can match, and no other", () => {
    const visited = (pattern?: string): string[] =>
      passesFor(spaces, pattern).map(({ keyspace }) => keyspace.name);
    expect(visited()).toEqual(["inner", "outer"]);
    expect(visited("app:*")).toEqual(["inner", "outer"]);
    expect(visited("app:inner:*")).toEqual(["inner", "outer"]);
    expect(visited("app:x*")).toEqual(["outer"]);
    expect(() => visited("a*")).toThrow("outside the keyspaces");
  });

  it("an escaped prefix is its own literal head", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (prefix) => {
        fc.pre(!prefix.includes("*"));
        const space = { name: "any", prefix, database: 0 };
        expect(passesFor([space], `${escapeGlob(prefix)}*`)).toEqual([
          { keyspace: space, match: `${escapeGlob(prefix)}*` },
        ]);
      }),
    );
  });

  it("are sorted by the component, and writable only with the link's own word", () => {
    const target = (name: string, access: string, prefix?: string) => ({
      access,
      sub: { name, attributes: prefix === undefined ? {} : { prefix } },
    });
    const link = {
      access: "write",
      component: { name: "valkey", attributes: { db: 3 } },
      targets: [target("b", "propose"), target("a", "write"), target("c", "read", "a:long:")],
    } as unknown as McpLink;
    expect(keyspacesOf(link)).toEqual([
      { name: "c", prefix: "a:long:", database: 3, writable: false },
      { name: "a", prefix: "a:", database: 3, writable: true },
      { name: "b", prefix: "b:", database: 3, writable: false },
    ]);
  });

  it("T2: valkey and redis share prefix and flag", () => {
    expect(types.map(({ type, tools: family }) => [type, family?.prefix, family?.service])).toEqual([
      ["valkey", "valkey", "VALKEY"],
      ["redis", "valkey", "VALKEY"],
    ]);
  });
});

describe("the account", () => {
  it("names prefixes, databases and commands, and no password", () => {
    expect(renderAccount(sampleLink, ["read", "additive"])).toBe(
      "ACL SETUSER mcp_valkey on clearselectors resetchannels resetkeys %R~session:* %RW~app:* -@all +ping +client|setname +info" +
        " +scan +exists +type +ttl +pttl +object|encoding +memory|usage +get +mget +getrange +strlen +hlen +hget +hmget +hgetall" +
        " +hscan +llen +lrange +scard +sscan +zcard +zrange +xlen +xrevrange +set\n",
    );
    const every = renderAccount({ ...sampleLink, access: "read", targets: [] }, ["read"]);
    expect(every).toContain(" resetkeys %R~* -@all ");
    expect(every).toContain(" +dbsize ");
    expect(renderAccount({ ...sampleLink, targets: [] }, ["read", "destructive"])).toMatch(
      /%RW~\* .* \+unlink\n$/,
    );
  });

  it("a prefix that would add a word to the command stops the generation", () => {
    const [first] = sampleLink.targets;
    const sub = { ...first?.sub, attributes: { prefix: "x +@all" } };
    const link = { ...sampleLink, targets: [{ ...first, sub }] } as unknown as McpLink;
    expect(() => renderAccount(link, ["read"])).toThrow("cannot stand in an account");
  });
});

describe("pages and bytes", () => {
  it("pages of any size show every item once, whatever the batches", async () => {
    const batches = fc.array(fc.array(fc.string(), { maxLength: 9 }), { minLength: 1, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 3 }),
        async (lists, rows, rounds) => {
          const seen: string[] = [];
          let position: string | null = "0+0";
          while (position !== null) {
            const page: Page<string> = await readPage(
              position,
              { rows, rounds, bytes: 30, bytesOf: (item: string) => item.length },
              async (batch) => ({
                items: lists[Number(batch)] ?? [],
                next: Number(batch) + 1 < lists.length ? String(Number(batch) + 1) : null,
              }),
            );
            expect(page.items.length).toBeLessThanOrEqual(rows);
            expect(page.position === null).toBe(page.ended === "complete");
            seen.push(...page.items);
            position = page.position;
          }
          expect(seen).toEqual(lists.flat());
        },
      ),
    );
  });

  it("a cut never leaves half a character, and whole characters stay", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.nat(), (text, at) => {
        const bytes = Buffer.from(text);
        const cut = wholeCharacters(bytes.subarray(0, at % (bytes.length + 1)));
        expect(text.startsWith(cut.toString("utf8"))).toBe(true);
        expect(wholeCharacters(bytes)).toEqual(bytes);
      }),
    );
  });

  it("bytes that are not printable text are not called text", () => {
    expect(textOf(Buffer.from("tab\tline\n"))).toBe("tab\tline\n");
    for (const bytes of [[0xff], [0x00], [0x1b, 0x5b], [0xc3]])
      expect(textOf(Buffer.from(bytes))).toBeUndefined();
  });

  it("INFO becomes data without addresses", () => {
    expect(
      readInfo(
        "# Memory\r\nused:12\r\nratio:1.5\r\nname:x=y\r\nkeys:a=1,b=2\r\nconfig_file:/etc/x\r\nslave0:ip=10.0.0.1,port=1\r\n",
      ),
    ).toEqual({
      used: 12,
      ratio: 1.5,
      name: { x: "y" },
      keys: { a: 1, b: 2 },
    });
  });
});
