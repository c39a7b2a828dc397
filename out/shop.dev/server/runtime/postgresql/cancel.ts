import { once } from "node:events";
import { connect, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as secure } from "node:tls";
import type { ConnectionOptions } from "node:tls";

/** Where the server listens. */
interface Place {
  readonly host: string;
  readonly port: number;
}

const CANCEL_MS = 2000;
const CANCEL_CODE = 80877102;
const TLS_CODE = 80877103;

function message(...words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + words.length * 4);
  [bytes.length, ...words].forEach((word, index) => bytes.writeInt32BE(word, index * 4));
  return bytes;
}

async function dial(
  { host, port }: Place,
  tls: ConnectionOptions | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connect({ host, port, signal });
  await once(socket, "connect");
  if (tls === undefined) return socket;
  socket.write(message(TLS_CODE));
  const [answer]: unknown[] = await once(socket, "data", { signal });
  if (!Buffer.isBuffer(answer) || answer.toString("latin1") !== "S")
    throw new Error("the server refused TLS");
  const encrypted = secure({ ...tls, socket, host, ...(isIP(host) === 0 ? { servername: host } : {}) });
  await once(encrypted, "secureConnect", { signal });
  return encrypted;
}

/**
 * Asks the server, on a connection of its own, to end what `connection` runs; returns when it has been told.
 *
 * A server that cannot be asked is not an error of the call: its own statement timeout ends the statement.
 */
export async function cancelStatement(
  place: Place,
  tls: ConnectionOptions | undefined,
  connection: object,
): Promise<void> {
  const process: unknown = Reflect.get(connection, "processID");
  const key: unknown = Reflect.get(connection, "secretKey");
  if (typeof process !== "number" || typeof key !== "number") return;
  const signal = AbortSignal.timeout(CANCEL_MS);
  try {
    const socket = await dial(place, tls, signal);
    socket.resume();
    // The server closes when it has acted. Closing first could reset the connection before it has read anything.
    socket.write(message(CANCEL_CODE, process, key));
    await once(socket, "close", { signal });
  } catch {
    // The statement timeout of the transaction remains.
  }
}
