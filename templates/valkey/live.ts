/** What the live test puts into the server, and the account it tries. */
import { readFileSync } from "node:fs";
import Handlebars from "handlebars";
import type { Redis } from "ioredis";
import * as acl from "../../generator/emit/acl.ts";
import type { Component, McpLink } from "../../generator/model/topology.ts";
import { accountView } from "./output.ts";
import { keyspaces } from "./tools.ts";

/** The link that the samples in the module's slots describe. */
export const sampleLink = {
  id: "mcp->valkey",
  component: { name: "valkey", attributes: { db: 0 } } as unknown as Component,
  access: "write",
  targets: keyspaces.map(({ name, prefix, writable }) => ({
    access: writable ? "write" : "read",
    sub: { name, kind: "keyspace", section: "keyspaces", attributes: { prefix }, secrets: {}, path: [] },
  })),
} as unknown as McpLink;

/** The emitted account, rendered as the build renders it. */
export function renderAccount(link: McpLink, effects: readonly string[]): string {
  const handlebars = Handlebars.create();
  for (const [name, helper] of Object.entries(acl))
    handlebars.registerHelper(name, (value: unknown) => helper(value));
  const template = readFileSync(new URL("principal.acl.hbs", import.meta.url), "utf8");
  return handlebars.compile(template, { strict: true, noEscape: true })(accountView(link, effects));
}

/** Commands that no tool uses, and commands of tools on keys that were not drawn. */
export const FORBIDDEN = [
  ["get", "other:1"],
  ["set", "session:1", "x"],
  ["set", "other:1", "x"],
  ["unlink", "session:1"],
  ["del", "app:text"],
  ["expire", "app:text", "1"],
  ["eval", "return 1", "0"],
  ["script", "load", "return 1"],
  ["function", "list"],
  ["config", "get", "*"],
  ["flushall"],
  ["flushdb"],
  ["client", "list"],
  ["client", "kill", "TYPE", "normal"],
  ["module", "list"],
  ["replicaof", "no", "one"],
  ["sort", "app:list", "BY", "other:*"],
  ["debug", "sleep", "0"],
  ["keys", "*"],
  ["select", "1"],
  ["swapdb", "0", "1"],
  ["move", "app:text", "1"],
  ["copy", "app:text", "other:9"],
  ["rename", "app:text", "other:9"],
  ["acl", "list"],
  ["acl", "whoami"],
  ["monitor"],
  ["subscribe", "x"],
  ["publish", "x", "y"],
  ["shutdown", "nosave"],
  ["save"],
  ["bgsave"],
  ["slowlog", "get"],
  ["latency", "doctor"],
  ["dump", "app:text"],
  ["restore", "app:r", "0", "x"],
  ["migrate", "127.0.0.1", "1", "app:text", "0", "1"],
  ["memory", "purge"],
  ["object", "freq", "other:1"],
  ["dbsize"],
  ["getdel", "app:text"],
  ["getex", "app:text", "EX", "1"],
  ["sync"],
  ["cluster", "info"],
  ["wait", "0", "0"],
] as const;

export async function seed(admin: Redis): Promise<void> {
  await admin.mset("app:text", "grüße", "app:json", '{"a":[1,2]}', "app:empty", "", "other:1", "hidden");
  await admin.set("app:ttl", "soon", "EX", 100);
  await admin.set("app:bytes", Buffer.from([0xff, 0x00, 0x01]));
  await admin.set(Buffer.from([...Buffer.from("app:"), 0xff]), "a key that is not text");
  await admin.hset("app:hash", { name: "x", token: "y", ["__proto__"]: "z", big: "v".repeat(5000) });
  await admin.rpush("app:list", "a", "b");
  await admin.sadd("app:set", "a");
  await admin.zadd("app:zset", 1, "a");
  await admin.xadd("app:stream", "*", "f", "v");
  await admin.set("session:1", "s");
  await admin.select(1);
  await admin.set("app:elsewhere", "database 1");
  await admin.select(0);
}

export async function flood(admin: Redis): Promise<void> {
  for (let start = 0; start < 100_000; start += 10_000) {
    const batch = admin.pipeline();
    for (let index = start; index < start + 10_000; index += 1) batch.set(`app:flood:${index}`, "v");
    await batch.exec();
  }
  for (let start = 0; start < 1_000_000; start += 50_000) {
    const fields = Array.from({ length: 50_000 }, (_, index) => [`field${start + index}`, "value"]).flat();
    await admin.hset("app:million", fields);
  }
  await admin.set("app:large", "x".repeat(20_000_000));
  await admin.hset(
    "app:wide",
    Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f${index}`, "y".repeat(1_000_000)])),
  );
}
