import { isIP } from "node:net";
import { Connection, metadataV12 } from "@platformatic/kafka";
import type { API, ConnectionOptions, SASLOptions } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";
import { faultOf, partialAnswer } from "#runtime/kafka/faults";
import { readNamedFile } from "#runtime/named-file";
import { SettingError } from "#runtime/settings";
import type { Secret, Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

/** Long enough for a cluster under load, short enough that a missing broker is an answer and not a wait. */
const CONNECT_MS = 2500;
const REQUEST_MS = 15_000;

/** What the brokers may send for one call; past it the connections are cut. */
export const MAX_RECEIVED_BYTES = 8 * 1024 * 1024;

const MECHANISMS = {
  "scram-sha-512": "SCRAM-SHA-512",
  "scram-sha-256": "SCRAM-SHA-256",
  plain: "PLAIN",
} as const;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** How to reach the cluster; connections exist only while a call runs. */
export interface Kafka {
  readonly link: LinkFacts;
  readonly bootstrap: readonly Address[];
  readonly mechanism: keyof typeof MECHANISMS | "none";
  readonly user: string;
  readonly password: Secret | undefined;
  readonly tls: boolean;
  readonly caFile: string;
  readonly open: Set<Connection>;
}

type Metadata = Awaited<ReturnType<typeof metadataV12.api.async>>;
export type TopicMetadata = Metadata["topics"][number];

/** The connections of one call. */
export interface Cluster {
  /** Asks whichever broker answers first. */
  ask<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<R>;
  askBroker<A extends unknown[], R>(node: number, api: API<A, R>, ...args: A): Promise<R>;
  /** Of the named topics, or of all that the account may see. Errors of topics and partitions stay in the answer. */
  metadata(topics: readonly string[] | null): Promise<Metadata>;
}

function addressesOf(written: string, variable: string): readonly Address[] {
  return written.split(",").map((each) => {
    const [, host, port] = /^\[?([^[\]\s/@]+)\]?:(\d{1,5})$/.exec(each.trim()) ?? [];
    if (host === undefined || port === undefined)
      throw new SettingError(variable, "must be a list such as broker-0:9092,broker-1:9092");
    return { host, port: Number(port) };
  });
}

export function openKafka(link: LinkFacts, settings: Settings): Kafka {
  const variable = (name: string): string => `${link.env}_${name}`;
  const tls = settings.text("TLS", "false").toLowerCase();
  if (tls !== "true" && tls !== "false") throw new SettingError(variable("TLS"), "must be true or false");
  const mechanism = settings.text("SASL_MECHANISM", "scram-sha-512").toLowerCase();
  if (mechanism !== "none" && !Object.hasOwn(MECHANISMS, mechanism))
    throw new SettingError(
      variable("SASL_MECHANISM"),
      `must be none or one of ${Object.keys(MECHANISMS).join(", ")}`,
    );
  const drawn = `${link.host.includes(":") ? `[${link.host}]` : link.host}:${link.port}`;
  return {
    link,
    bootstrap: addressesOf(settings.text("BOOTSTRAP_SERVERS", drawn), variable("BOOTSTRAP_SERVERS")),
    mechanism: mechanism as Kafka["mechanism"],
    user: settings.text("USER", ""),
    password: settings.secret("PASSWORD"),
    tls: tls === "true",
    caFile: settings.text("CA_FILE", ""),
    open: new Set(),
  };
}

export async function closeKafka(kafka: Kafka): Promise<void> {
  for (const connection of kafka.open) connection.socket?.destroy();
}

function saslOf(kafka: Kafka): { sasl?: SASLOptions } {
  const { mechanism, user, password, link } = kafka;
  if (mechanism === "none") return {};
  if (password === undefined) {
    throw new ToolFault("upstream_unavailable", "this link has no password for the cluster", {
      hint: `set ${link.env}_PASSWORD, or ${link.env}_SASL_MECHANISM=none for a listener without accounts`,
    });
  }
  return { sasl: { mechanism: MECHANISMS[mechanism], username: user, password: password.reveal() } };
}

async function optionsOf(kafka: Kafka, host: string): Promise<ConnectionOptions> {
  const { tls, caFile, link } = kafka;
  const ca = caFile === "" ? {} : { ca: await readNamedFile(caFile, `${link.env}_CA_FILE`) };
  return {
    connectTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    ...saslOf(kafka),
    // An address has no server name; the certificate must then name the address.
    ...(tls ? { tls: ca, ...(isIP(host) === 0 ? { tlsServerName: host } : {}) } : {}),
  };
}

/** The connections of one call, made when they are needed: one to any broker, and one to each that leads. */
class Connections implements Cluster {
  readonly #kafka: Kafka;
  readonly #made = new Map<string, Promise<Connection>>();
  readonly #brokers = new Map<number, Address>();
  received = 0;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  async ask<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<R> {
    return await api.async(await this.#first(), ...args);
  }

  async askBroker<A extends unknown[], R>(node: number, api: API<A, R>, ...args: A): Promise<R> {
    const address = this.#brokers.get(node);
    if (address === undefined)
      throw new ToolFault("upstream_unavailable", `broker ${node} is not in the cluster now`, {
        hint: "try again",
      });
    return await api.async(await this.#to(address), ...args);
  }

  async metadata(topics: readonly string[] | null): Promise<Metadata> {
    const wanted = topics === null ? null : [...topics];
    const answer = await this.ask(metadataV12.api, wanted as string[], false, false).catch((error: unknown) =>
      partialAnswer<Metadata>(error),
    );
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port });
    for (const { partitions } of answer.topics)
      partitions.sort((a, b) => a.partitionIndex - b.partitionIndex);
    return answer;
  }

  /** Tries the bootstrap addresses one after the other; a refused account is the same on each. */
  async #first(): Promise<Connection> {
    let failure: unknown;
    for (const address of this.#kafka.bootstrap) {
      try {
        return await this.#to(address);
      } catch (error) {
        failure = error;
        if (error instanceof ToolFault) break;
      }
    }
    throw failure;
  }

  async #to(address: Address): Promise<Connection> {
    const key = `${address.host}:${address.port}`;
    const known = this.#made.get(key);
    if (known !== undefined) return await known;
    const made = this.#connect(address);
    this.#made.set(key, made);
    return await made;
  }

  async #connect({ host, port }: Address): Promise<Connection> {
    const connection = new Connection(this.#kafka.link.id, await optionsOf(this.#kafka, host));
    // The promise tells what failed; without a listener the event would end the process.
    connection.on("error", () => undefined);
    this.#kafka.open.add(connection);
    const connected = connection.connect(host, port);
    connection.socket.on("data", (chunk: Buffer) => {
      this.received += chunk.length;
      if (this.received > MAX_RECEIVED_BYTES) this.end();
    });
    await connected;
    return connection;
  }

  /** At once: a polite end would wait for a broker that is busy. */
  end(): void {
    for (const made of this.#made.values()) {
      void made.then(
        (connection) => this.#drop(connection),
        () => undefined,
      );
    }
  }

  #drop(connection: Connection): void {
    this.#kafka.open.delete(connection);
    connection.socket.destroy();
    // Also clears the timer that would log in again.
    void connection.close();
  }
}

/**
 * Runs `work` on connections of its own: cancelling ends them and nobody else's call, and a cluster that was
 * away needs no reconnecting. Past `MAX_RECEIVED_BYTES` the answer is `too_large`.
 */
export async function withCluster<T>(
  kafka: Kafka,
  signal: AbortSignal,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const connections = new Connections(kafka);
  let end = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    end = () => {
      connections.end();
      reject(signal.reason as Error);
    };
  });
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([work(connections), aborted]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ToolFault) throw error;
    if (connections.received > MAX_RECEIVED_BYTES) {
      throw new ToolFault("too_large", `the cluster sent more than ${MAX_RECEIVED_BYTES} bytes`, {
        hint: "ask for one partition, or for less",
      });
    }
    throw faultOf(error, kafka.link.env);
  } finally {
    signal.removeEventListener("abort", end);
    connections.end();
  }
}
