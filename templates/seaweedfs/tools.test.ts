import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { keyWithin } from "#runtime/seaweedfs/keys";
import { readXml, textOf } from "#runtime/seaweedfs/xml";
import { MARKER, openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { buckets, tools } from "./tools.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers in ways that no store does. */
async function upstream(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const KEYS = Object.fromEntries(
  ["BACKUPS", "INVOICES", "INVOICES_WRITER"].flatMap((part) => [
    [`MCP_S3_${part}_ACCESS_KEY`, `id-${part}`],
    [`MCP_S3_${part}_SECRET_KEY`, `geheim-${part}`],
  ]),
);
const moduleAt = (url: string): OpenModule => openModule(tools, { MCP_S3_URL: url, ...KEYS });
const faultOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);
const CLOSED = "http://127.0.0.1:1";
const reason = "a test of the tool";
const listing = (inner: string): string =>
  `<?xml version="1.0"?>\n<ListBucketResult>${inner}</ListBucketResult>`;

/** An object of these bytes, as a store serves ranges of it. */
const serving =
  (bytes: Buffer, headers: Record<string, string> = {}) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (request.url?.endsWith("?tagging=")) response.end("<Tagging><TagSet/></Tagging>");
    else if (start === undefined)
      response
        .writeHead(200, { ...headers, "content-length": bytes.length })
        .end(request.method === "HEAD" ? "" : bytes);
    else
      response
        .writeHead(206, { ...headers, "content-range": `bytes ${start}-${end}/${bytes.length}` })
        .end(bytes.subarray(Number(start), Number(end) + 1));
  };

describe("the tools as data", () => {
  it("S32: the five read tools, and two that write", () => {
    const of = (isRead: boolean) =>
      tools.tools.filter(({ effect }) => (effect === "read") === isRead).map(({ name }) => name);
    expect(of(true)).toEqual(
      "s3_list_buckets s3_list_objects s3_get_object s3_read_text s3_bucket_stats".split(" "),
    );
    expect(of(false)).toEqual(["s3_put_text", "s3_delete_object"]);
  });

  it("P7: every description says when to use the tool, and a tool is at most 1.4 KB", () => {
    for (const { handler: _, effect: __, ...tool } of tools.tools) {
      expect(tool.description).toMatch(/^Use /);
      expect(tool.description.length).toBeLessThan(250);
      expect(JSON.stringify(tool).length, tool.name).toBeLessThan(1400);
    }
  });

  it("R5: no parameter names a host, a tenant or a credential, and nothing is presigned", () => {
    for (const { inputSchema, description } of tools.tools)
      expect(JSON.stringify(inputSchema) + description).not.toMatch(
        /host|url|tenant|user|password|header|sign/i,
      );
  });

  it("buckets are closed lists: of what was drawn, and of what was drawn for writing", () => {
    const enumOf = (name: string): unknown => {
      const schema = tools.tools.find((tool) => tool.name === name)?.inputSchema["properties"];
      return (schema as { bucket: { enum: string[] } } | undefined)?.bucket.enum;
    };
    expect(enumOf("s3_read_text")).toEqual(["backups", "invoices"]);
    expect(enumOf("s3_delete_object")).toEqual(["invoices"]);
  });
});

describe("arguments", () => {
  it.each([
    ["s3_list_objects", {}],
    ["s3_list_objects", { bucket: "other" }],
    ["s3_list_objects", { bucket: "shop-backups" }],
    ["s3_list_objects", { bucket: "invoices", limit: 1001 }],
    ["s3_list_objects", { bucket: "invoices", delimiter: "-" }],
    ["s3_list_objects", { bucket: "invoices", endpoint: "http://elsewhere" }],
    ["s3_get_object", { bucket: "invoices", key: "" }],
    ["s3_get_object", { bucket: "invoices", key: "a", bytes: 32_769 }],
    ["s3_read_text", { bucket: "invoices", key: "a", max_bytes: 65_537 }],
    ["s3_read_text", { bucket: "invoices", key: "a", encoding: "utf-16le" }],
    ["s3_read_text", { bucket: "invoices", key: "a", offset: -1 }],
    ["s3_bucket_stats", { bucket: "invoices", max_scan: 20_001 }],
    ["s3_list_buckets", { limit: 101 }],
    ["s3_put_text", { bucket: "backups", key: "daily/a", body: "x", reason }],
    ["s3_put_text", { bucket: "invoices", key: "ai/a", body: "x", reason: "short" }],
    ["s3_put_text", { bucket: "invoices", key: "ai/a", body: "x", reason, if_none_match: "etag" }],
    ["s3_put_text", { bucket: "invoices", key: "ai/a", body: "x".repeat(65_537), reason }],
    ["s3_delete_object", { bucket: "invoices", key: "ai/a", version_id: "a&acl", reason }],
  ])("%s refuses %j", async (tool, args) => {
    await expect(moduleAt(CLOSED).call(tool, args)).rejects.toThrow("invalid arguments");
  });

  it.each([
    ["s3_get_object", { bucket: "backups", key: "weekly/a" }, "the key is outside"],
    ["s3_read_text", { bucket: "backups", key: "daily" }, "the key is outside"],
    ["s3_list_objects", { bucket: "backups", prefix: "" }, "the prefix is outside"],
    ["s3_bucket_stats", { bucket: "backups", prefix: "dail" }, "the prefix is outside"],
    ["s3_put_text", { bucket: "invoices", key: "2026/a", body: "x", reason }, "the key is outside"],
    ["s3_delete_object", { bucket: "invoices", key: "ai", reason }, "the key is outside"],
    ["s3_read_text", { bucket: "backups", key: "daily/../weekly/a" }, "empty, . or .."],
    ["s3_get_object", { bucket: "invoices", key: "../backups/daily/a" }, "empty, . or .."],
    ["s3_get_object", { bucket: "invoices", key: "/etc/passwd" }, "empty, . or .."],
    ["s3_get_object", { bucket: "invoices", key: "folder/" }, "empty, . or .."],
    ["s3_get_object", { bucket: "invoices", key: "\ud800" }, "empty, . or .."],
    ["s3_list_objects", { bucket: "invoices", prefix: "\udfff" }, "not text"],
    ["s3_read_text", { bucket: "invoices", key: "a", tail: true, offset: 1 }, "not both"],
    [
      "s3_put_text",
      { bucket: "invoices", key: "ai/a", body: "ü".repeat(40_000), reason },
      "more than 65536 bytes",
    ],
  ])("%s refuses %j before anything is asked", async (tool, args, message) => {
    await expect(moduleAt(CLOSED).call(tool, args)).rejects.toThrow(message);
  });

  it("a key that is let through stays one path below its bucket", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "/", ".", "%", "?", "#", "\\", " ", "ü"), maxLength: 9 }),
        (key) => {
          let path: string;
          try {
            path = keyWithin("", key);
          } catch {
            return;
          }
          const { pathname, search, hash } = new URL(
            `http://s/b/${path.split("/").map(encodeURIComponent).join("/")}`,
          );
          expect([decodeURIComponent(pathname), search, hash]).toEqual([`/b/${key}`, "", ""]);
        },
      ),
    );
  });
});

describe("accounts", () => {
  it("each bucket is read with its own key, and only what changes is asked with the key that writes", async () => {
    const seen: string[] = [];
    const url = await upstream((request, response) => {
      const id = /Credential=([\w-]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "none";
      seen.push(`${request.method} ${id}`);
      response.writeHead(200, { "content-length": 0 }).end();
    });
    const store = moduleAt(url);
    await faultOf(store.call("s3_list_objects", { bucket: "backups" }));
    await store.call("s3_put_text", { bucket: "invoices", key: "ai/a", body: "x", reason });
    await store.call("s3_delete_object", { bucket: "invoices", key: "ai/a", reason });
    expect(seen).toEqual([
      "GET id-BACKUPS",
      "PUT id-INVOICES_WRITER",
      "HEAD id-INVOICES",
      "DELETE id-INVOICES_WRITER",
    ]);
  });

  it("R12: a request shows no secret, and what is sent is what was signed", async () => {
    const requests: IncomingMessage[] = [];
    const url = await upstream((request, response) => {
      requests.push(request);
      response.writeHead(200, { etag: '"e"' }).end();
    });
    const { data } = await moduleAt(url).call("s3_put_text", {
      bucket: "invoices",
      key: "ai/ü +(1)*.txt",
      body: "grüße",
      reason,
    });
    expect(data).toEqual({ key: "ai/ü +(1)*.txt", bytes: 7, etag: "e", version_id: null });
    const [sent] = requests;
    expect(JSON.stringify(sent?.rawHeaders)).not.toContain("geheim");
    expect(sent?.headers["if-none-match"]).toBe("*");
    expect(sent?.headers.authorization).toContain(
      "SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;x-amz-date",
    );
    expect(sent?.url).toBe("/invoices/ai/%C3%BC%20%2B(1)*.txt");
  });

  it.each(["INVOICES_SECRET_KEY", "BACKUPS_SECRET_KEY"])("without %s it does not open", async (name) => {
    const environment = { MCP_S3_URL: CLOSED, ...KEYS, [`MCP_S3_${name}`]: "" };
    await expect(openModule(tools, environment).call("s3_list_buckets")).rejects.toThrow(
      `MCP_S3_${name} is missing`,
    );
  });
});

describe("listings", () => {
  /** Keys of a kilobyte, so that pages end at the bytes, inside of what the store sent. */
  const all = Array.from(
    { length: 130 },
    (_, index) => `${String(index).padStart(4, "0")}${"k".repeat(1000)}`,
  );
  const store = (request: IncomingMessage, response: ServerResponse): void => {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    const start = Number(query.get("continuation-token") ?? 0);
    const end = start + Number(query.get("max-keys"));
    const contents = all
      .slice(start, end)
      .map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`);
    const more =
      end < all.length
        ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${end}</NextContinuationToken>`
        : "";
    response.end(listing(contents.join("") + more));
  };

  it("pages neither overlap nor leave out, whatever ends them and however large they are", async () => {
    const module = moduleAt(await upstream(store));
    const seen: string[] = [];
    const ends = new Set<string | undefined>();
    let cursor: string | null | undefined;
    for (const limit of [7, 100, 1, 60, 1000, 1000, 1000, 1000]) {
      if (cursor === null) break;
      const { data, page, truncation } = await module.call("s3_list_objects", {
        bucket: "invoices",
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...(data as { objects: { key: string }[] }).objects.map(({ key }) => key));
      expect(JSON.stringify(data).length).toBeLessThan(52_000);
      ends.add(truncation?.by);
      cursor = page?.next_cursor;
      expect(page?.total).toBe(cursor === null ? all.length : null);
    }
    expect(seen).toEqual(all);
    expect(ends).toEqual(new Set(["rows", "bytes", undefined]));
  });

  it("a cursor of another call is refused", async () => {
    const module = moduleAt(await upstream(store));
    const { page } = await module.call("s3_list_objects", { bucket: "invoices", limit: 2 });
    const other = module.call("s3_list_objects", {
      bucket: "invoices",
      prefix: "1",
      cursor: page?.next_cursor,
    });
    await expect(other).rejects.toThrow("does not belong");
  });

  it("a page that is exactly full is not called cut", async () => {
    const url = await upstream((_request, response) =>
      response.end(
        listing("<Contents><Key>a</Key><Size>1</Size></Contents><IsTruncated>false</IsTruncated>"),
      ),
    );
    const result = await moduleAt(url).call("s3_list_objects", { bucket: "invoices", limit: 1 });
    expect(result.page).toEqual({ returned: 1, total: 1, next_cursor: null });
    expect(result.truncation).toBeUndefined();
  });

  it("R7: a store that never ends a listing ends at the time that a scan has", async () => {
    let asked = 0;
    const url = await upstream((_request, response) => {
      asked += 1;
      const page = listing(
        `<Contents><Key>k${asked}</Key><Size>1</Size></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`,
      );
      setTimeout(() => response.end(page), 200);
    });
    const started = performance.now();
    const result = await moduleAt(url).call("s3_bucket_stats", { bucket: "invoices" });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(result.truncation).toMatchObject({ by: "time" });
    expect(result.data).toMatchObject({ count: asked });
  });
});

describe("text", () => {
  const read = async (bytes: Buffer, args: Record<string, unknown> = {}, headers = {}, key = "a.txt") => {
    const module = moduleAt(await upstream(serving(bytes, headers)));
    return await module.call("s3_read_text", { bucket: "invoices", key, ...args });
  };

  it("pieces end between characters, and together are the text", async () => {
    const content = "aü€😀".repeat(50);
    const module = moduleAt(await upstream(serving(Buffer.from(content))));
    for (const max_bytes of [16, 17, 18, 19, 61]) {
      let text = "";
      for (let offset: number | null = 0; offset !== null;) {
        const { data } = await module.call("s3_read_text", {
          bucket: "invoices",
          key: "a",
          max_bytes,
          offset,
        });
        const piece = data as { text: string; next_offset: number | null };
        text += piece.text;
        offset = piece.next_offset;
      }
      expect(text, String(max_bytes)).toBe(content);
    }
  });

  it("the end, an empty object, and what is past the end", async () => {
    expect(
      (await read(Buffer.from("one\ntwo ü\n"), { max_bytes: 16, tail: true })).truncation,
    ).toBeUndefined();
    const end = await read(Buffer.from(`${"x".repeat(100)}€end`), { max_bytes: 16, tail: true });
    expect(end.data).toMatchObject({
      text: `${"x".repeat(10)}€end`,
      offset: 90,
      size: 106,
      next_offset: null,
    });
    expect(end.truncation).toMatchObject({ by: "bytes", limit: 16 });
    expect((await read(Buffer.alloc(0))).data).toMatchObject({ text: "", size: 0, next_offset: null });
    await expect(read(Buffer.from("abc"), { offset: 4 })).rejects.toThrow(
      "past the end: the text has 3 bytes",
    );
  });

  it("text that grows when it is escaped is cut between characters, from the right end", async () => {
    const quotes = Buffer.from('"\u0001'.repeat(30_000));
    const { data, truncation } = await read(quotes, { max_bytes: 65_536 });
    expect(JSON.stringify(data).length).toBeLessThan(50_000);
    expect(truncation).toMatchObject({ by: "bytes" });
    const { next_offset: next, bytes } = data as { next_offset: number; bytes: number };
    expect(next).toBe(bytes);
    const tail = (await read(quotes, { max_bytes: 60_000, tail: true })).data as {
      offset: number;
      bytes: number;
    };
    expect(tail.offset + tail.bytes).toBe(60_000);
  });

  it("what is no text is refused, and other bytes are read as latin1", async () => {
    await expect(read(Buffer.from([0x50, 0x4b, 0, 1]))).rejects.toThrow("NUL bytes");
    await expect(read(Buffer.from([0xe9, 0x74, 0xe9]))).rejects.toMatchObject({
      hint: "encoding=latin1 reads any bytes",
    });
    expect((await read(Buffer.from([0xe9, 0x74, 0xe9]), { encoding: "latin1" })).data).toMatchObject({
      text: "été",
      bytes: 3,
    });
  });

  it("gzip is unpacked, by its header or its name; other packing and lies are refused", async () => {
    const packed = gzipSync("grüße\n".repeat(1000));
    const wanted = { text: "grüße\ngrüß", packed: true, size: 8000, next_offset: 14 };
    expect((await read(packed, { max_bytes: 15 + 1 }, { "content-encoding": "gzip" })).data).toMatchObject({
      packed: true,
      size: 8000,
    });
    expect((await read(packed, { max_bytes: 16 }, {}, "log.gz")).data).toMatchObject({
      ...wanted,
      text: expect.stringMatching(/^grüße\n/),
      next_offset: 16,
    });
    await expect(read(Buffer.from("plain"), {}, {}, "x.gz")).rejects.toThrow("packed with gzip, and is not");
    await expect(read(packed, {}, { "content-encoding": "br" })).rejects.toThrow("not with gzip");
  });

  it("R7: a small object that unpacks to 100 MB is not unpacked to its end, and a large one is not fetched", async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000, " "));
    await expect(read(bomb, {}, {}, "bomb.gz")).rejects.toMatchObject({ code: "too_large" });
    await expect(read(Buffer.alloc(1_100_000), {}, {}, "large.gz")).rejects.toThrow(
      "holds more than 1048576 bytes",
    );
  });
});

describe("hostile upstream", () => {
  it("R5: a redirect is an error, and the signature goes nowhere", async () => {
    let visited = 0;
    const elsewhere = await upstream((_request, response) => response.end(String((visited += 1))));
    for (const status of [301, 307]) {
      const url = await upstream((_request, response) =>
        response.writeHead(status, { location: `${elsewhere}/invoices` }).end(),
      );
      expect(await faultOf(moduleAt(url).call("s3_list_objects", { bucket: "invoices" }))).toMatchObject({
        code: "upstream_unavailable",
      });
    }
    expect(visited).toBe(0);
  });

  it.each([
    ["no XML", "{}"],
    ["nothing", ""],
    ["half of it", "<ListBucketResult><Contents><Key>a"],
    ["tags that cross", "<ListBucketResult><a><b></a></b></ListBucketResult>"],
    ["two roots", "<ListBucketResult/><ListBucketResult/>"],
    ["another root", "<Error><Code>x</Code></Error>"],
    ["a document type", '<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult>&b;</ListBucketResult>'],
    ["an entity of its own", listing("<Prefix>&b;</Prefix>")],
    ["a name of the prototype as an entity", listing("<Prefix>&constructor;</Prefix>")],
    ["a character that is none", listing("<Prefix>&#x110000;</Prefix>")],
    ["an object without a key", listing("<Contents><Size>1</Size></Contents>")],
    ["a size that is none", listing("<Contents><Key>a</Key><Size>x</Size></Contents>")],
    ["more to come, and no way there", listing("<IsTruncated>true</IsTruncated>")],
    ["depth", listing("<a>".repeat(5000) + "</a>".repeat(5000))],
    ["many elements", listing("<a/>".repeat(60_000))],
  ])("an answer with %s is upstream_unavailable", async (_what, body) => {
    const url = await upstream((_request, response) => response.end(body));
    expect(await faultOf(moduleAt(url).call("s3_bucket_stats", { bucket: "invoices" }))).toMatchObject({
      code: "upstream_unavailable",
    });
  });

  it("R7: XML of 8 MB, well made or not, costs little time", () => {
    const started = performance.now();
    for (const hostile of [
      "<".repeat(8e6),
      `<a ${"b=".repeat(4e6)}`,
      `<a>${"&".repeat(8e6)}`,
      "<a>".repeat(2.6e6),
      `<a>${"&amp;".repeat(1.6e6)}</a>`,
    ]) {
      try {
        readXml(hostile);
      } catch (error) {
        expect(error).toMatchObject({ code: "upstream_unavailable" });
      }
    }
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it("R7: an object of 100 MB from a store that knows no ranges is not read to its end", async () => {
    const url = await upstream((request, response) => {
      response.writeHead(200, { "content-length": 100_000_000 });
      if (request.method === "HEAD") response.end();
      else response.write(Buffer.alloc(20_000_000, "x"));
    });
    expect(await faultOf(moduleAt(url).call("s3_read_text", { bucket: "invoices", key: "a" }))).toMatchObject(
      { code: "too_large" },
    );
  });

  it.each([
    [403, "AccessDenied", "denied", "may not do that"],
    [403, "SignatureDoesNotMatch", "denied", "not with this secret"],
    [403, "RequestTimeTooSkewed", "upstream_unavailable", "too far apart"],
    [404, "NoSuchBucket", "not_found", "the store has none"],
    [503, "SlowDown", "rate_limited", "fewer requests"],
    [500, "InternalError", "upstream_unavailable", "answered 500"],
    [400, "constructor", "invalid_argument", "answered 400"],
  ])("S5: %i %s is %s, in words of our own", async (status, code, fault, message) => {
    const url = await upstream((request, response) =>
      response
        .writeHead(status)
        .end(
          `<Error><Code>${code}</Code><Message>secret at ${request.headers.host}</Message><RequestId>1</RequestId></Error>`,
        ),
    );
    const error = await faultOf(moduleAt(url).call("s3_list_objects", { bucket: "invoices" }));
    expect(error).toMatchObject({ code: fault, message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/127\.0\.0\.1|secret at|geheim/);
  });

  it("one bucket that does not answer does not hide the others", async () => {
    const url = await upstream((request, response) => {
      if (request.url?.startsWith("/invoices"))
        response.writeHead(404).end("<Error><Code>NoSuchBucket</Code></Error>");
      else response.end(listing(""));
    });
    const { data, page } = await moduleAt(url).call("s3_list_buckets");
    expect(page?.total).toBe(buckets.length);
    expect(data).toMatchObject({
      buckets: [
        { name: "backups", bucket: "shop-backups", prefix: "daily/", reachable: true, empty: true },
        { name: "invoices", reachable: false, problem: expect.stringContaining("the store has none") },
      ],
    });
  });

  it("a caller that goes away takes the connection along", async () => {
    let closed = false;
    const url = await upstream((request) => request.socket.once("close", () => (closed = true)));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await expect(
      moduleAt(url).call("s3_bucket_stats", { bucket: "invoices" }, controller.signal),
    ).rejects.toThrow("enough");
    await expect.poll(() => closed).toBe(true);
  });
});

describe("metadata", () => {
  it("is bounded, and bytes come as they are stored, packed or not", async () => {
    const packed = gzipSync("x".repeat(100));
    const meta = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`x-amz-meta-n${index}`, "v".repeat(200)]),
    );
    const url = await upstream(
      serving(packed, { "content-encoding": "gzip", "content-type": "text/plain", etag: '"e"', ...meta }),
    );
    const { data } = await moduleAt(url).call("s3_get_object", { bucket: "invoices", key: "a", bytes: 100 });
    const facts = data as { metadata: object; base64: string; size: number; encoding: string };
    expect(Object.keys(facts.metadata)).toHaveLength(20);
    expect(Buffer.from(facts.base64, "base64")).toEqual(packed);
    expect(facts).toMatchObject({ size: packed.length, encoding: "gzip", type: "text/plain", etag: "e" });
  });

  it("XML says what it means", () => {
    const root = readXml(
      '<?xml version="1.0"?><a xmlns="x"><b>1 &lt; &#50; &amp;amp; &#38;lt; &#x1F600;</b><c/></a>',
    );
    expect([textOf(root, "b"), textOf(root, "c"), textOf(root, "d")]).toEqual([
      "1 < 2 &amp; &lt; 😀",
      "",
      "",
    ]);
  });
});

describe("what an approved text leaves behind", () => {
  it("A3 A8: the object says in its metadata who approved which call, under the signature of the request", async () => {
    const seen: IncomingMessage["headers"][] = [];
    const url = await upstream((request, response) => {
      seen.push(request.headers);
      request.resume();
      response.end();
    });
    const args = { bucket: "invoices", key: "ai/a.txt", body: "x", reason };
    await moduleAt(url).call("s3_put_text", args);
    await moduleAt(url).callApproved("s3_put_text", args);
    expect(seen[0]).not.toHaveProperty("x-amz-meta-mcp-marker");
    expect(seen[1]).toMatchObject({
      "if-none-match": "*",
      "x-amz-meta-mcp-marker": `mcp:${MARKER.argsSha}`,
      "x-amz-meta-mcp-approver": "key:ada",
      authorization: expect.stringContaining("x-amz-meta-mcp-approver;x-amz-meta-mcp-marker") as unknown,
    });
  });
});
