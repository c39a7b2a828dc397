import type { Redis } from "ioredis";
import { ToolFault } from "#runtime/fault";

/** The type of the key's value; a key that does not exist is a `not_found`. */
export async function typeOf(redis: Redis, name: string): Promise<string> {
  const type = await redis.type(name);
  if (type === "none") throw new ToolFault("not_found", "there is no such key");
  return type;
}

/** What can be said about a key without reading its value; `length` is `null` for types of a module. */
export async function describeKey(redis: Redis, name: string, type: string): Promise<object> {
  const [ttl, encoding, memory, length] = await Promise.all([
    redis.pttl(name),
    redis.object("ENCODING", name),
    redis.memory("USAGE", name),
    lengthOf(redis, name, type),
  ]);
  return { ttl_ms: ttl, encoding, memory_bytes: memory, length };
}

async function lengthOf(redis: Redis, name: string, type: string): Promise<number | null> {
  switch (type) {
    case "string":
      return await redis.strlen(name);
    case "hash":
      return await redis.hlen(name);
    case "list":
      return await redis.llen(name);
    case "set":
      return await redis.scard(name);
    case "zset":
      return await redis.zcard(name);
    case "stream":
      return await redis.xlen(name);
    default:
      return null;
  }
}
