/** The live suite's server: FerretDB with the users of the emitted script, and data. */
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { MongoClient, BSON } from "mongodb";
import type { Document } from "mongodb";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";
import { runInFakeShell } from "./fake-shell.ts";

export const READER = "p w:é;'#of-the-reader";
export const WRITER = "another:$(id)`id`-of-the-writer";
const ADMIN = "of-the-administrator";
export const FLOOD = 2000;

export interface Live {
  readonly server: LiveServer;
  readonly admin: MongoClient;
  stop(): Promise<void>;
}

const STACK = `apiVersion: topology/v1
stack: stack
components:
  mongodb: {host: 127.0.0.1, databases: {orders: {collections: [notes]}, shop: {database: shop_prod}}}
links: {mcp: {mongodb: {only: {orders: write, shop: read}}}}
`;

const items = (count: number): Document[] =>
  Array.from({ length: count }, (_, index) => ({
    _id: index as unknown as BSON.ObjectId,
    name: `name ${index}`,
    price: index / 4,
    tags: ["a", "b", index],
    at: new Date(1_760_000_000_000 + index),
    ...(index % 2 === 0 ? { detail: { color: "red", sizes: [{ x: 1 }, { x: 2 }] } } : {}),
  }));

async function fill(admin: MongoClient): Promise<void> {
  const orders = admin.db("orders");
  await orders.collection("items").insertMany(items(300));
  await orders.collection("items").createIndex({ name: 1 }, { unique: true });
  await orders.collection("notes").insertMany([
    { _id: "a" as unknown as BSON.ObjectId, text: "first", n: 1 },
    { _id: "b" as unknown as BSON.ObjectId, text: "second", n: 1 },
  ]);
  await orders.collection("types").insertOne({
    _id: new BSON.ObjectId("0123456789abcdef01234567"),
    long: BSON.Long.fromString("9223372036854775807"),
    double: 1.5,
    date: new Date("2026-01-02T03:04:05.678Z"),
    binary: new BSON.Binary(Buffer.from("bytes")),
    none: null,
    text: 'é "quoted" \n',
  });
  const shop = admin.db("shop_prod");
  for (let start = 0; start < FLOOD; start += 500)
    await shop.collection("flood").insertMany(items(FLOOD).slice(start, start + 500));
  await shop.collection("wide").insertMany(
    Array.from({ length: 5 }, (_, index) => ({
      index,
      body: "x".repeat(300_000),
      list: Array.from({ length: 5000 }, () => "y"),
    })),
  );
  await shop.collection("wide").insertOne({
    index: 10,
    ...Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`f${index}`, "z".repeat(3000)])),
  });
  for (let index = 0; index < 60; index += 1)
    await shop.createCollection(`c${String(index).padStart(3, "0")}`);
}

export interface Relay {
  readonly port: number;
  /** How many connections through it are open; the driver keeps one to watch the server. */
  open(): number;
  /** Everything that was sent to the server, a byte a character. */
  sent(): string;
  close(): void;
}

/** A way to the server that can be watched. */
export async function startRelay(port: number): Promise<Relay> {
  let open = 0;
  let sent = "";
  const relay = createServer((client) => {
    open += 1;
    client.on("data", (bytes) => (sent += bytes.toString("latin1")));
    const upstream = connect(port, "127.0.0.1");
    client.pipe(upstream).pipe(client);
    client
      .on("error", () => undefined)
      .on("close", () => {
        open -= 1;
        upstream.destroy();
      });
    upstream.on("error", () => undefined).on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const close = (): void => void relay.close();
  return { port: (relay.address() as AddressInfo).port, open: () => open, sent: () => sent, close };
}

/** FerretDB knows no roles: it gets the script's users without them, and nothing here shows what they may do. */
export async function startFerret(): Promise<Live> {
  const principals = await emitPrincipals(STACK);
  const commands = runInFakeShell(principals.text("mongodb/account.js"), {
    MCP_MONGODB_PASSWORD: READER,
    MCP_MONGODB_RW_PASSWORD: WRITER,
  });
  principals.remove();
  const server = await startLive("mongodb", { ADMIN_PASSWORD: ADMIN });
  const admin = new MongoClient(`mongodb://127.0.0.1:${server.port}/`, {
    auth: { username: "admin", password: ADMIN },
    directConnection: true,
  });
  const stop = async (): Promise<void> => {
    await admin.close();
    await server.stop();
  };
  try {
    for (const { database, command } of commands)
      if ("createUser" in command) await admin.db(database).command({ ...command, roles: [] });
    await fill(admin);
  } catch (error) {
    await stop();
    throw error;
  }
  return { server, admin, stop };
}
