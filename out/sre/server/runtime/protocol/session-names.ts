import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Names of sessions that any replica knows for one that a replica gave, and to whom. */
export interface SessionNames {
  /** `version` is the protocol revision that the client asked for. Rejects while nobody can make such a name. */
  create(owner: string, version: string): Promise<string>;
  /** The revision that it was opened with; `undefined` for a name of somebody else's, of nobody's, or of long ago. */
  versionOf(id: string, owner: string): Promise<string | undefined>;
  /** This replica answers to the name no more. */
  end(id: string): void;
}

/** As long as clients keep one session; after that they open another, as they do after any 404. */
const LIFETIME_S = 24 * 3_600;
/** Of names that were ended here; older ones have mostly run out. */
const MOST_ENDED = 10_000;
const NAME = /^(?:\d{4}-\d{2}-\d{2}|unknown)~(\d{10})~[\w-]{22}~[\w-]{43}$/;

/**
 * A name says when and with which revision it was made, under a code that only the replicas can make and that holds
 * for one owner. So no replica needs to remember a session for another one to go on with it.
 */
export function sessionNames(
  key: () => Promise<Buffer>,
  now: () => number = () => Math.floor(Date.now() / 1_000),
): SessionNames {
  const ended = new Set<string>();
  const codeOf = async (said: string, owner: string): Promise<string> =>
    createHmac("sha256", await key())
      .update(`mcp-session\0v1\0${said}\0${owner}`)
      .digest("base64url");
  return {
    create: async (owner, version) => {
      const revision = /^\d{4}-\d{2}-\d{2}$/.test(version) ? version : "unknown";
      const said = `${revision}~${String(now()).padStart(10, "0")}~${randomBytes(16).toString("base64url")}`;
      return `${said}~${await codeOf(said, owner)}`;
    },
    versionOf: async (id, owner) => {
      const [, since] = NAME.exec(id) ?? [];
      if (since === undefined || now() - Number(since) > LIFETIME_S || ended.has(id)) return undefined;
      const said = id.slice(0, id.lastIndexOf("~"));
      const [given, due] = [Buffer.from(id), Buffer.from(`${said}~${await codeOf(said, owner)}`)];
      return timingSafeEqual(given, due) ? id.slice(0, id.indexOf("~")) : undefined;
    },
    end: (id) => {
      ended.add(id);
      for (const oldest of ended) {
        if (ended.size <= MOST_ENDED) break;
        ended.delete(oldest);
      }
    },
  };
}
