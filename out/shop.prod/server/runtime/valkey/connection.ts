import { isIP } from "node:net";
import { Redis } from "ioredis";
import { ToolFault } from "#runtime/fault";
import { SettingError } from "#runtime/settings";
import type { Secret, Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

/** Long enough for a cluster under load, short enough that a missing server is an answer and not a wait. */
const CONNECT_MS = 2500;

/** One reply may be as large as the largest value; past this many bytes the connection is cut. */
export const MAX_RECEIVED_BYTES = 8 * 1024 * 1024;

/** How to reach the service; connections exist only while a call runs. */
export interface Valkey {
  readonly name: string;
  readonly env: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly tls: boolean;
  /** The database of keys that belong to no keyspace with a database of its own. */
  readonly database: number;
  readonly open: Set<Redis>;
}

export function openValkey(link: LinkFacts, settings: Settings): Valkey {
  const tls = settings.text("TLS", "false");
  if (!/^(true|false)$/i.test(tls)) throw new SettingError(`${link.env}_TLS`, "must be true or false");
  return {
    name: link.id,
    env: link.env,
    host: settings.text("HOST", link.host),
    port: settings.integer("PORT", link.port),
    user: settings.text("USER", ""),
    password: settings.secret("PASSWORD"),
    tls: tls.toLowerCase() === "true",
    database: settings.integer("DB", 0),
    open: new Set(),
  };
}

export async function closeValkey(valkey: Valkey): Promise<void> {
  for (const redis of valkey.open) destroy(redis);
}

/** At once: a polite end would wait for a server that is busy. */
function destroy(redis: Redis): void {
  if (redis.status === "end") return;
  redis.disconnect();
  // Not there yet while a connection is being made.
  (redis.stream as Redis["stream"] | undefined)?.destroy();
}

function newConnection(valkey: Valkey): Redis {
  return new Redis({
    host: valkey.host,
    port: valkey.port,
    // An address has no server name; the certificate must then name the address.
    ...(valkey.tls ? { tls: isIP(valkey.host) === 0 ? { servername: valkey.host } : {} } : {}),
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
}

/** An account without other databases may not even select its own, so it is not asked to. */
export async function useDatabase(redis: Redis, database: number): Promise<void> {
  if ((redis.condition?.select ?? 0) !== database) await redis.select(database);
}

/** The account is presented by us, because the library prints a warning where we must answer with a fault. */
async function introduce(redis: Redis, valkey: Valkey, database: number): Promise<void> {
  const steps: Promise<unknown>[] = [];
  if (valkey.password !== undefined) {
    const secret = valkey.password.reveal();
    steps.push(valkey.user === "" ? redis.auth(secret) : redis.auth(valkey.user, secret));
  }
  steps.push(redis.client("SETNAME", valkey.name));
  steps.push(useDatabase(redis, database));
  const failed = (await Promise.allSettled(steps)).find((step) => step.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function untrusted(failure: Error | undefined): ToolFault | undefined {
  const code = failure !== undefined && "code" in failure ? String(failure.code) : "";
  if (!/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) return undefined;
  return new ToolFault("upstream_unavailable", "the server's certificate is not trusted", {
    hint: "give the authority that signed it in NODE_EXTRA_CA_CERTS",
  });
}

function faultOf(error: unknown, valkey: Valkey): ToolFault {
  const text = error instanceof Error ? error.message : "";
  if (/^(NOAUTH|WRONGPASS|NOPERM)|^ERR AUTH/.test(text)) {
    return new ToolFault("denied", `the server refused the account of this link: ${text.split(" ", 1)[0]}`, {
      hint: `apply the principal of this link to the server and check ${valkey.env}_USER and ${valkey.env}_PASSWORD`,
    });
  }
  if (text.startsWith("WRONGTYPE")) {
    return new ToolFault("invalid_argument", "the key holds another type of value");
  }
  if (/^(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|OOM|READONLY|MISCONF|MOVED|ERR)\b/.test(text)) {
    return new ToolFault("upstream_unavailable", `the server answered ${text.slice(0, 120)}`);
  }
  return new ToolFault("upstream_unavailable", "the server does not answer");
}

/**
 * Runs `work` on a connection of its own: cancelling ends that connection and nobody else's call, and a
 * server that was away needs no reconnecting. Past `MAX_RECEIVED_BYTES` the answer is `too_large`.
 */
export async function withConnection<T>(
  valkey: Valkey,
  database: number,
  signal: AbortSignal,
  work: (redis: Redis) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const redis = newConnection(valkey);
  const end = (): void => destroy(redis);
  let received = 0;
  // What made a connection fail is told by this event only; the promise says that it is closed.
  let failure: Error | undefined;
  redis.on("error", (error: Error) => (failure = error));
  signal.addEventListener("abort", end, { once: true });
  valkey.open.add(redis);
  try {
    await redis.connect();
    redis.stream.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > MAX_RECEIVED_BYTES) end();
    });
    await introduce(redis, valkey, database);
    return await work(redis);
  } catch (error) {
    if (error instanceof ToolFault) throw error;
    signal.throwIfAborted();
    if (received > MAX_RECEIVED_BYTES) {
      throw new ToolFault("too_large", `the server sent more than ${MAX_RECEIVED_BYTES} bytes`);
    }
    throw untrusted(failure) ?? faultOf(error, valkey);
  } finally {
    signal.removeEventListener("abort", end);
    valkey.open.delete(redis);
    end();
  }
}
