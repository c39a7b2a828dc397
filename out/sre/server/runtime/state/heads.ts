import type { Redis } from "ioredis";
import type { ChainHead, HeadRegistry } from "#runtime/audit/heads";

/** How long the head of a chain that ended is told to those that begin: longer than anybody is away. */
const KEPT_S = 30 * 24 * 3_600;
/** Of processes that may start and die in that time; whoever forgets an older one has recorded it. */
const MOST = 256;

/**
 * Keeps the caller's head and returns the rows that are newer than what the caller knows. A row is
 * `<revision> <chain> <seq> <hash> <second>`; the field `#` holds the last revision.
 */
const REGISTER = `
local key, chain, seq, digest, since = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = tonumber(redis.call('TIME')[1])
local last = tonumber(redis.call('HGET', key, '#') or '0')
local own = redis.call('HGET', key, chain)
if not own or string.match(own, '^%d+ %S+ (%d+) ') ~= seq then
  last = last + 1
  redis.call('HSET', key, '#', last, chain, table.concat({last, chain, seq, digest, now}, ' '))
end
local rows, fresh = {}, {}
for _, row in ipairs(redis.call('HVALS', key)) do
  local at, other, second = string.match(row, '^(%d+) (%S+) %d+ %x+ (%d+)$')
  if at and other ~= chain then
    table.insert(rows, {tonumber(at), other, tonumber(second)})
    if tonumber(at) > since then table.insert(fresh, row) end
  end
end
table.sort(rows, function(a, b) return a[1] < b[1] end)
for i, row in ipairs(rows) do
  if #rows - i >= tonumber(ARGV[6]) or now - row[3] > tonumber(ARGV[5]) then redis.call('HDEL', key, row[2]) end
end
return {last, fresh}`;

function headIn(row: string): ChainHead {
  const [, chain = "", seq = "", hash = ""] = row.split(" ");
  return { chain, seq: Number(seq), hash };
}

/** Where the replicas' audit chains meet; anybody with the right to read it can hold the files against it. */
export function sharedHeads(redis: Redis, prefix: string): HeadRegistry {
  return {
    register: async ({ chain, seq, hash }, since) => {
      const [revision, rows] = (await redis.eval(
        REGISTER,
        1,
        `${prefix}audit`,
        chain,
        seq,
        hash,
        since,
        KEPT_S,
        MOST,
      )) as [number, string[]];
      return { revision, others: rows.map(headIn).sort((a, b) => (a.chain < b.chain ? -1 : 1)) };
    },
  };
}
