import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { liveVersion } from "../../test/live/server.ts";
import { ask, startStore } from "./live.ts";
import type { RealStore, StoreType } from "./live.ts";
import { tools } from "./tools.ts";

const HARD_LIMIT = 262_144;
const FLOOD = 6000;
const AT_ONCE = 16;
const LIFECYCLE =
  "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
const reason = "a test of the tool";
const types = ["seaweedfs", "minio"] as const;
/** What the two stores answered to the same calls. */
const shapes = new Map<StoreType, Record<string, unknown>>();

/** The names and types in a result, and nothing of what it says. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shapeOf(item)]));
}

it("the stores are installed", () => {
  expect(liveVersion("seaweedfs"), "run: bash templates/seaweedfs/live.sh install").toMatch(/^\d+\.\d+/);
});

describe.each(types)("%s", (type) => {
  let store: RealStore;
  let module: OpenModule;

  const call = async (tool: string, args: Record<string, unknown> = {}) => {
    const started = performance.now();
    const result = await module.call(tool, args);
    expect(performance.now() - started, tool).toBeLessThan(2000);
    expect(JSON.stringify(result).length, tool).toBeLessThanOrEqual(HARD_LIMIT);
    return result;
  };
  const admin = async (method: string, path: string, options: Parameters<typeof ask>[4] = {}) => {
    const answer = await ask(store.server.port, store.administrator, method, path, options);
    expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
    return answer;
  };

  beforeAll(async () => {
    store = await startStore(type);
    module = openModule(tools, store.environment);
    const put = async (path: string, body: string, headers: Record<string, string> = {}) =>
      await admin("PUT", path, { body, headers });
    await put("/shop-backups/daily/monday.log", `${"line of a log\n".repeat(5000)}the last line grüße\n`, {
      "content-type": "text/plain",
      "x-amz-meta-made-by": "cnpg",
    });
    await put("/shop-backups/weekly/hidden.log", "out of reach");
    await put("/other/secret.txt", "out of reach");
    for (const year of [2024, 2025])
      for (const name of ["a.json", "b.json", "c.csv"])
        await put(`/invoices/${year}/${name}`, `{"year":${year},"name":"${name}"}`);
    await put("/invoices/odd/it's%20(1)%20+%20%C3%BC%20%26%20%3Cb%3E.txt", "a key of many characters");
    await put("/invoices/empty.txt", "");
    await admin("PUT", "/invoices/2024/a.json?tagging=", {
      body: "<Tagging><TagSet><Tag><Key>class</Key><Value>paid + filed</Value></Tag></TagSet></Tagging>",
    });
  });

  afterAll(async () => {
    await module.close();
    await store.stop();
  });

  describe("every tool with data", () => {
    const seen: Record<string, unknown> = {};
    const record = async (tool: string, args: Record<string, unknown> = {}) => {
      const result = await call(tool, args);
      seen[tool] = shapeOf(result);
      return result;
    };
    afterAll(() => shapes.set(type, seen));

    it("S32: s3_list_buckets", async () => {
      const { data, page } = await record("s3_list_buckets");
      expect(page).toEqual({ returned: 2, total: 2, next_cursor: null });
      expect(data).toMatchObject({
        buckets: [
          { name: "backups", bucket: "shop-backups", prefix: "daily/", reachable: true, empty: false },
          { name: "invoices", bucket: "invoices", prefix: "", reachable: true, empty: false },
        ],
      });
    });

    it("s3_list_objects shows folders, objects below, and pages", async () => {
      const folders = await record("s3_list_objects", { bucket: "invoices" });
      expect(folders.data).toMatchObject({
        prefixes: ["2024/", "2025/", "odd/"],
        objects: [{ key: "empty.txt", size: 0 }],
      });
      expect(folders.page).toEqual({ returned: 4, total: 4, next_cursor: null });
      const below = await call("s3_list_objects", { bucket: "invoices", prefix: "2024/", delimiter: "" });
      expect(below.data).toMatchObject({
        objects: [
          {
            key: "2024/a.json",
            size: 29,
            modified: expect.stringMatching(/^20\d\d-.*Z$/),
            etag: expect.stringMatching(/^[0-9a-f]{32}$/),
          },
          { key: "2024/b.json" },
          { key: "2024/c.csv" },
        ],
      });
      const keys: unknown[] = [];
      let cursor: string | null | undefined;
      for (let index = 0; index < 20 && cursor !== null; index += 1) {
        const { data, page } = await call("s3_list_objects", {
          bucket: "invoices",
          delimiter: "",
          limit: 3,
          ...(cursor === undefined ? {} : { cursor }),
        });
        keys.push(...(data as { objects: { key: string }[] }).objects.map(({ key }) => key));
        cursor = page?.next_cursor;
      }
      expect(keys).toEqual([
        "2024/a.json",
        "2024/b.json",
        "2024/c.csv",
        "2025/a.json",
        "2025/b.json",
        "2025/c.csv",
        "empty.txt",
        "odd/it's (1) + ü & <b>.txt",
      ]);
      const daily = await call("s3_list_objects", { bucket: "backups" });
      expect(daily.data).toMatchObject({ objects: [{ key: "daily/monday.log" }], prefixes: [] });
    });

    it("s3_get_object tells what is known, and gives bytes", async () => {
      const { data } = await record("s3_get_object", {
        bucket: "invoices",
        key: "2024/a.json",
        bytes: 8,
        offset: 1,
      });
      expect(data).toMatchObject({
        size: 29,
        tags: { class: "paid + filed" },
        etag: expect.any(String),
        modified: expect.any(String),
      });
      expect(Buffer.from((data as { base64: string }).base64, "base64").toString()).toBe('"year":2');
      const facts = await call("s3_get_object", { bucket: "backups", key: "daily/monday.log" });
      expect(facts.data).toMatchObject({ type: "text/plain", metadata: { "made-by": "cnpg" }, tags: {} });
      expect(facts.data).not.toHaveProperty("base64");
    });

    it("s3_read_text reads pieces, the end, packed texts, and any key", async () => {
      const first = await record("s3_read_text", { bucket: "backups", key: "daily/monday.log" });
      expect(first.data).toMatchObject({ offset: 0, bytes: 16_384, next_offset: 16_384 });
      const end = await call("s3_read_text", {
        bucket: "backups",
        key: "daily/monday.log",
        tail: true,
        max_bytes: 22,
      });
      expect(end.data).toMatchObject({ text: "the last line grüße\n" });
      const odd = await call("s3_read_text", { bucket: "invoices", key: "odd/it's (1) + ü & <b>.txt" });
      expect(odd.data).toMatchObject({ text: "a key of many characters" });
      expect((await call("s3_read_text", { bucket: "invoices", key: "empty.txt" })).data).toMatchObject({
        text: "",
        size: 0,
      });
    });

    it("s3_bucket_stats", async () => {
      const { data, truncation } = await record("s3_bucket_stats", { bucket: "invoices" });
      expect(truncation).toBeUndefined();
      expect(data).toMatchObject({
        count: 8,
        largest: expect.arrayContaining([expect.objectContaining({ key: "2025/a.json", size: 29 })]),
        by_extension: expect.arrayContaining([{ extension: "json", count: 4, bytes: 116 }]),
        oldest: { key: expect.any(String) },
        newest: { key: expect.any(String) },
      });
      const part = await call("s3_bucket_stats", { bucket: "invoices", max_scan: 8 });
      expect(part.truncation).toBeUndefined();
      const cut = await call("s3_bucket_stats", { bucket: "invoices", max_scan: 7 });
      expect(cut.truncation).toMatchObject({ by: "rows", limit: 7 });
    });

    it("A3 A8: an approved text keeps who approved which call", async () => {
      const object = { bucket: "invoices", key: "ai/approved.md" };
      await module.callApproved("s3_put_text", { ...object, body: "x", reason });
      const { data } = await call("s3_get_object", object);
      expect(data).toMatchObject({
        metadata: { "mcp-marker": `mcp:${MARKER.argsSha}`, "mcp-approver": "key:ada" },
      });
      await call("s3_delete_object", { ...object, reason });
    });

    it("s3_put_text stores once, and over it when asked to; s3_delete_object removes", async () => {
      const object = { bucket: "invoices", key: "ai/summary.md", reason };
      const put = await record("s3_put_text", { ...object, body: "# grüße\n" });
      expect(put.data).toMatchObject({
        key: "ai/summary.md",
        bytes: 10,
        etag: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
      await expect(call("s3_put_text", { ...object, body: "other" })).rejects.toMatchObject({
        code: "invalid_argument",
        message: "an object with this key exists",
      });
      expect((await call("s3_read_text", { bucket: "invoices", key: "ai/summary.md" })).data).toMatchObject({
        text: "# grüße\n",
      });
      await call("s3_put_text", { ...object, body: "other", if_none_match: "" });
      expect((await call("s3_read_text", { bucket: "invoices", key: "ai/summary.md" })).data).toMatchObject({
        text: "other",
      });
      const removed = await record("s3_delete_object", object);
      expect(removed.data).toMatchObject({ key: "ai/summary.md", size: 5, delete_marker: false });
      await expect(call("s3_delete_object", object)).rejects.toMatchObject({ code: "not_found" });
      await expect(call("s3_read_text", { bucket: "invoices", key: "ai/summary.md" })).rejects.toMatchObject({
        code: "not_found",
      });
    });
  });

  describe("the accounts", () => {
    const asked = async (part: string, method: string, path: string, options = {}) =>
      await ask(store.server.port, store.keyOf(part), method, path, options);

    const withDigest = (body: string) => ({
      body,
      headers: { "content-md5": createHash("md5").update(body).digest("base64") },
    });
    /** What the store would take from an administrator, so that it refuses who asks and not what. */
    const bodyFor = (method: string, path: string) => {
      if (method !== "PUT" || path === "/made-by-ai") return {};
      return withDigest(path.endsWith("?lifecycle=") ? LIFECYCLE : "x");
    };

    /** Each with the account that comes nearest to it. */
    it.each([
      ["BACKUPS", "GET", "/shop-backups/weekly/hidden.log"],
      ["BACKUPS", "GET", "/shop-backups?list-type=2"],
      ["BACKUPS", "GET", "/shop-backups?list-type=2&prefix=weekly/"],
      ["BACKUPS", "GET", "/shop-backups?list-type=2&prefix=dail"],
      ["BACKUPS", "GET", "/shop-backups?versions=&prefix="],
      ["BACKUPS", "PUT", "/shop-backups/daily/new.log"],
      ["BACKUPS", "DELETE", "/shop-backups/daily/monday.log"],
      ["BACKUPS", "GET", "/invoices/2024/a.json"],
      ["INVOICES", "GET", "/other/secret.txt"],
      ["INVOICES", "GET", "/shop-backups/daily/monday.log"],
      ["INVOICES", "GET", "/other?list-type=2"],
      ["INVOICES", "PUT", "/invoices/ai/x.txt"],
      ["INVOICES", "DELETE", "/invoices/empty.txt"],
      ["INVOICES", "DELETE", "/invoices"],
      ["INVOICES", "PUT", "/made-by-ai"],
      ["INVOICES", "GET", "/invoices?policy="],
      ["INVOICES", "GET", "/invoices?lifecycle="],
      ["INVOICES", "POST", "/invoices/2024/a.json?uploads="],
      ["INVOICES_WRITER", "GET", "/invoices/2024/a.json"],
      ["INVOICES_WRITER", "GET", "/invoices?list-type=2"],
      ["INVOICES_WRITER", "PUT", "/invoices/2024/a.json"],
      ["INVOICES_WRITER", "PUT", "/other/x.txt"],
      ["INVOICES_WRITER", "DELETE", "/invoices/2024/a.json"],
      ["INVOICES_WRITER", "DELETE", "/invoices"],
      ["INVOICES_WRITER", "PUT", "/made-by-ai"],
      ["INVOICES_WRITER", "PUT", "/invoices?policy="],
      ["INVOICES_WRITER", "PUT", "/invoices?versioning="],
      ["INVOICES_WRITER", "PUT", "/invoices?acl="],
      ["INVOICES_WRITER", "PUT", "/invoices?lifecycle="],
      ["INVOICES_WRITER", "PUT", "/invoices/ai/x.txt?acl="],
    ])("S4: %s may not %s %s", async (part, method, path) => {
      const { status, text } = await asked(part, method, path, bodyFor(method, path));
      expect([status, /<Code>(\w+)</.exec(text)?.[1]]).toEqual([403, "AccessDenied"]);
    });

    it("S4: it copies nothing from where it may not read", async () => {
      const headers = { "x-amz-copy-source": "/other/secret.txt" };
      const { status } = await asked("INVOICES_WRITER", "PUT", "/invoices/ai/stolen.txt", { headers });
      expect(status).toBe(403);
    });

    it("S4: it deletes nothing outside of its prefix in one sweep", async () => {
      const body =
        "<Delete><Object><Key>2024/a.json</Key></Object><Object><Key>empty.txt</Key></Object></Delete>";
      const { status, text } = await asked("INVOICES_WRITER", "POST", "/invoices?delete=", withDigest(body));
      expect([status, text.includes("AccessDenied")]).toEqual([expect.toBeOneOf([200, 403]), true]);
      expect((await asked("INVOICES", "GET", "/invoices/2024/a.json")).status).toBe(200);
      expect((await asked("INVOICES", "GET", "/invoices/empty.txt")).status).toBe(200);
    });

    it("S4: nobody is let in without a key, and a key does not open with another's secret", async () => {
      const nobody = await fetch(`http://127.0.0.1:${store.server.port}/invoices/2024/a.json`);
      expect(nobody.status).toBe(403);
      const mixed = openModule(tools, {
        ...store.environment,
        MCP_S3_INVOICES_SECRET_KEY: store.environment["MCP_S3_BACKUPS_SECRET_KEY"],
      });
      await expect(mixed.call("s3_list_objects", { bucket: "invoices" })).rejects.toMatchObject({
        code: "denied",
        message: expect.stringContaining("not with this secret"),
      });
      const unknown = openModule(tools, { ...store.environment, MCP_S3_INVOICES_ACCESS_KEY: "nobody-here" });
      await expect(unknown.call("s3_list_objects", { bucket: "invoices" })).rejects.toMatchObject({
        code: "denied",
      });
    });
  });

  describe("attacks through the tools", () => {
    it.each([
      "../other/secret.txt",
      "2024/../../other/secret.txt",
      "..%2fother%2fsecret.txt",
      "2024/a.json?acl",
      "2024/a.json#",
      "%2e%2e/other/secret.txt",
      "2024//a.json",
      "..\\other\\secret.txt",
      "a.json\r\nx-amz-copy-source: /other/secret.txt",
    ])("the key %j leads nowhere", async (key) => {
      for (const tool of ["s3_get_object", "s3_read_text"])
        await expect(call(tool, { bucket: "invoices", key })).rejects.toMatchObject({
          code: expect.stringMatching(/invalid_argument|not_found|denied/),
        });
    });

    it("a text with markup and tags is data", async () => {
      const body = '</Contents><Key>x</Key> <script> \u001b[31m "quotes" &amp; \\';
      await call("s3_put_text", { bucket: "invoices", key: "ai/<Key>&amp;x.txt", body, reason });
      const { data } = await call("s3_list_objects", { bucket: "invoices", prefix: "ai/" });
      expect(data).toMatchObject({ objects: [{ key: "ai/<Key>&amp;x.txt" }] });
      expect(
        (await call("s3_read_text", { bucket: "invoices", key: "ai/<Key>&amp;x.txt" })).data,
      ).toMatchObject({ text: body });
      await call("s3_delete_object", { bucket: "invoices", key: "ai/<Key>&amp;x.txt", reason });
    });
  });

  describe("floods", () => {
    beforeAll(async () => {
      const numbers = Array.from({ length: FLOOD }, (_, index) => index);
      for (let at = 0; at < FLOOD; at += AT_ONCE)
        await Promise.all(
          numbers
            .slice(at, at + AT_ONCE)
            .map(
              async (index) =>
                await admin(
                  "PUT",
                  `/invoices/flood/${String(index).padStart(5, "0")}-${"k".repeat(150)}.txt`,
                  { body: "x" },
                ),
            ),
        );
      await admin("PUT", "/invoices/large.txt", { body: "0123456789".repeat(1_048_576) });
      await admin("PUT", "/invoices/zeros.bin", { body: "\u0000".repeat(1000) });
    }, 300_000);

    it(`${FLOOD} keys: pages are bounded, and neither overlap nor leave out`, async () => {
      const keys = new Set<string>();
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const { data, page } = await call("s3_list_objects", {
          bucket: "invoices",
          prefix: "flood/",
          delimiter: "",
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        const { objects } = data as { objects: { key: string }[] };
        const before = keys.size;
        for (const { key } of objects) keys.add(key);
        expect(keys.size - before).toBe(objects.length);
        expect(objects.length).toBeGreaterThan(0);
        cursor = page?.next_cursor;
      }
      expect(keys.size).toBe(FLOOD);
    });

    it("statistics stop where they were told to, and say so", async () => {
      const { data, truncation } = await call("s3_bucket_stats", {
        bucket: "invoices",
        prefix: "flood/",
        max_scan: 3000,
      });
      expect(truncation?.by).toMatch(/rows|time/);
      expect((data as { count: number }).count).toBeLessThanOrEqual(3000);
      expect((data as { largest: object[] }).largest).toHaveLength(10);
    });

    it("an object of 10 MB is read in pieces, from any end", async () => {
      const piece = await call("s3_read_text", {
        bucket: "invoices",
        key: "large.txt",
        offset: 5_000_000,
        max_bytes: 65_536,
      });
      expect(piece.data).toMatchObject({
        offset: 5_000_000,
        size: 10_485_760,
        text: expect.stringMatching(/^0123456789/),
      });
      const end = await call("s3_read_text", {
        bucket: "invoices",
        key: "large.txt",
        tail: true,
        max_bytes: 20,
      });
      expect(end.data).toMatchObject({ text: "01234567890123456789" });
      const bytes = await call("s3_get_object", {
        bucket: "invoices",
        key: "large.txt",
        bytes: 32_768,
        offset: 10_485_755,
      });
      expect(Buffer.from((bytes.data as { base64: string }).base64, "base64").toString()).toBe("56789");
    });

    it("what is no text is refused", async () => {
      await expect(call("s3_read_text", { bucket: "invoices", key: "zeros.bin" })).rejects.toThrow(
        "NUL bytes",
      );
    });

    it("packed text is unpacked within its bound", async () => {
      const packed = gzipSync("grüße\n".repeat(10_000));
      await admin("PUT", "/invoices/log.txt.gz", { body: packed });
      const { data } = await call("s3_read_text", {
        bucket: "invoices",
        key: "log.txt.gz",
        offset: 79_992,
        max_bytes: 100,
      });
      expect(data).toMatchObject({ text: "grüße\n", size: 80_000, packed: true, next_offset: null });
    });

    it("a cancelled scan ends on the store as well", async () => {
      const open = new Set<Socket>();
      const relay = createServer((caller) => {
        const onward = connect(store.server.port, "127.0.0.1");
        open.add(onward);
        onward.once("close", () => open.delete(onward)).on("error", () => caller.destroy());
        caller.once("close", () => onward.destroy()).on("error", () => onward.destroy());
        caller.pipe(onward).pipe(caller);
      });
      await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
      const through = openModule(tools, { ...store.environment, MCP_S3_URL: url });
      const controller = new AbortController();
      const scan = through.call(
        "s3_bucket_stats",
        { bucket: "invoices", max_scan: 20_000 },
        controller.signal,
      );
      await expect.poll(() => open.size, { interval: 1 }).toBe(1);
      controller.abort(new Error("enough"));
      await expect(scan).rejects.toThrow("enough");
      await expect.poll(() => open.size).toBe(0);
      relay.close();
    });
  });
});

describe("T2: the stores are alike", () => {
  it("every tool answers in the same shape, whichever store is behind it", () => {
    const [seaweedfs, minio] = types.map((type) => shapes.get(type));
    expect(Object.keys(seaweedfs ?? {}).sort()).toEqual(tools.tools.map(({ name }) => name).sort());
    expect(seaweedfs).toEqual(minio);
  });
});
