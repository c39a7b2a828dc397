import { hash, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { Redis } from "ioredis";
import { ToolFault } from "#runtime/fault";
import type { StoredProposal } from "#runtime/approval/proposal";
import { isForgotten } from "#runtime/approval/store";
import type { ProposalStore } from "#runtime/approval/store";
import type { RateStore } from "#runtime/policy/rate-limits";
import type { OpenState } from "#runtime/registry";
import { sharedHeads } from "#runtime/state/heads";
import { settingsOf } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

const ENV = "MCP_REPLICA_STATE";
const CONNECT_MS = 2_500;
/** Past this a call is refused; nothing is executed on a guess. */
const ANSWER_MS = 2_000;
const LONGEST_PAUSE_MS = 1_000;

/** One token of each bucket, or of none, by the clock of the service: the replicas' own may differ. */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tokens, wait = {}, 0
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local known = redis.call('GET', key)
  tokens[i] = burst
  if known then
    local had, at = string.match(known, '^(%S+) (%S+)$')
    tokens[i] = math.min(burst, tonumber(had) + math.max(0, now - tonumber(at)) * rate / 60000)
  end
  if tokens[i] < 1 - 1e-6 then wait = math.max(wait, math.ceil((1 - tokens[i]) * 60000 / rate - 1e-6)) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  redis.call('SET', key, string.format('%.9f %d', tokens[i] - 1, now), 'PX', math.ceil(burst * 60000 / rate) + 1000)
end
return 0`;

/** Replaces a row only if it is still the one that was read: of many that try, one does. */
const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

function connect(environment: Parameters<OpenState>[0], onSecret: Parameters<OpenState>[2]): Redis {
  const settings = settingsOf({ env: ENV }, environment, onSecret);
  const [host, password] = [settings.text("HOST", ""), settings.secret("PASSWORD")];
  for (const [name, value] of Object.entries({ HOST: host, PASSWORD: password }))
    if (value === undefined || value === "")
      throw new StartError(`${ENV}_${name} is not set: the replicas share approvals and limits there`);
  const redis = new Redis({
    host,
    port: settings.integer("PORT", 6379),
    db: settings.integer("DB", 0),
    username: settings.text("USER", "default"),
    password: password?.reveal() ?? "",
    ...(settings.text("TLS", "false") === "true"
      ? { tls: isIP(host) === 0 ? { servername: host } : {} }
      : {}),
    protocol: 2,
    connectTimeout: CONNECT_MS,
    commandTimeout: ANSWER_MS,
    enableReadyCheck: false,
    disableClientInfo: true,
    // A change whose answer was lost may have been made, so it is never sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(attempt * 50, LONGEST_PAUSE_MS),
    reconnectOnError: () => false,
  });
  let told = "";
  redis.on("ready", () => (told = ""));
  redis.on("error", (error: Error) => {
    const why = "code" in error ? String(error.code) : (error.message.split(" ", 1)[0] ?? "");
    if (why !== told) process.stderr.write(`the shared state does not answer (${why}): calls are refused\n`);
    told = why;
  });
  return redis;
}

async function answered<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new ToolFault("upstream_unavailable", "what the replicas of this server share does not answer", {
      hint: "tell the operator that the shared state is away",
      cause,
    });
  }
}

function sharedRates(redis: Redis, prefix: string): RateStore {
  return {
    take: async (buckets) => {
      // A name of a bucket holds the caller's, which is nobody else's affair.
      const keys = buckets.map(({ key }) => `${prefix}rate:${hash("sha256", key, "hex").slice(0, 32)}`);
      const sizes = buckets.flatMap(({ perMinute, burst }) => [perMinute, burst]);
      return keys.length === 0 ? 0 : Number(await answered(redis.eval(TAKE, keys.length, ...keys, ...sizes)));
    },
  };
}

function sharedProposals(redis: Redis, prefix: string): ProposalStore {
  const table = `${prefix}proposals`;
  const all = async (): Promise<readonly StoredProposal[]> =>
    (await answered(redis.hvals(table)))
      .map((row) => JSON.parse(row) as StoredProposal)
      .sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  return {
    all,
    add: async (proposal) => {
      const over = (await all()).filter((old) => isForgotten(old, Date.now()));
      if (over.length > 0) await answered(redis.hdel(table, ...over.map(({ proposal_id: id }) => id)));
      await answered(redis.hset(table, proposal.proposal_id, JSON.stringify(proposal)));
    },
    get: async (id) => {
      const row = await answered(redis.hget(table, id));
      return row === null ? undefined : (JSON.parse(row) as StoredProposal);
    },
    move: async (id, from, change) => {
      for (;;) {
        const row = await answered(redis.hget(table, id));
        const proposal = row === null ? undefined : (JSON.parse(row) as StoredProposal);
        if (row === null || proposal?.state !== from) return undefined;
        const changed = { ...proposal, ...change };
        const next = JSON.stringify(changed);
        if ((await answered(redis.eval(REPLACE, 1, table, id, row, next))) === 1) return changed;
      }
    },
    close: async () => redis.disconnect(),
  };
}

/** Whoever comes first makes it; it is asked for once. */
const KEY_BYTES = 32;

function sharedKey(redis: Redis, prefix: string): () => Promise<Buffer> {
  const read = async (): Promise<Buffer> => {
    await answered(redis.set(`${prefix}sealing-key`, randomBytes(KEY_BYTES).toString("base64"), "NX"));
    const key = Buffer.from((await answered(redis.get(`${prefix}sealing-key`))) ?? "", "base64");
    // Gone again, or somebody else's value: sealing with less would be sealing with what anybody can guess.
    if (key.length !== KEY_BYTES)
      throw new ToolFault(
        "upstream_unavailable",
        "what the replicas of this server share has no sealing key",
      );
    return key;
  };
  let key: Promise<Buffer> | undefined;
  return async () => {
    key ??= read();
    try {
      return await key;
    } catch (cause) {
      key = undefined;
      throw cause;
    }
  };
}

/** Limits, proposals and heads of the audit chains of all replicas, in one Valkey. */
export const openState: OpenState = (environment, scope, onSecret) => {
  const redis = connect(environment, onSecret);
  const prefix = `mcp-state:${scope}:`;
  return {
    rates: sharedRates(redis, prefix),
    proposals: sharedProposals(redis, prefix),
    heads: sharedHeads(redis, prefix),
    sealingKey: sharedKey(redis, prefix),
    answers: async () =>
      await redis.time().then(
        () => true,
        () => false,
      ),
  };
};
