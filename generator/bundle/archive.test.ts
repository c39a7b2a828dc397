import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Headers } from "tar-stream";
import { describe, expect, it } from "vitest";
import { LIMITS, readArchive, writeArchive } from "./archive.ts";

type Entry = Partial<Headers> & { readonly name: string; readonly content?: string };

async function tar(...entries: readonly Entry[]): Promise<Buffer> {
  const writer = pack();
  for (const { content, ...header } of entries) writer.entry(header, content ?? "");
  writer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of writer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const HOSTILE: readonly (readonly [string, readonly Entry[], RegExp])[] = [
  ["a path out of the folder", [{ name: "../evil", content: "x" }], /leaves its folder: "\.\.\/evil"/],
  ["one in the middle", [{ name: "server/../../evil", content: "x" }], /leaves its folder/],
  ["an absolute path", [{ name: "/etc/evil", content: "x" }], /leaves its folder/],
  ["a drive of Windows", [{ name: "c:evil", content: "x" }], /leaves its folder/],
  ["a backslash", [{ name: "..\\evil", content: "x" }], /leaves its folder/],
  ["a control character", [{ name: "a\nb", content: "x" }], /leaves its folder/],
  ["an empty segment", [{ name: "server//main.ts", content: "x" }], /leaves its folder/],
  ["a folder out of the folder", [{ name: "../evil/", type: "directory" }], /leaves its folder/],
  [
    "a symbolic link",
    [{ name: "a", type: "symlink", linkname: "/etc/passwd" }],
    /neither file nor folder \(symlink\)/,
  ],
  ["a hard link", [{ name: "a", type: "link", linkname: "b" }], /neither file nor folder \(link\)/],
  ["a device", [{ name: "a", type: "character-device" }], /neither file nor folder \(character-device\)/],
  ["a block device", [{ name: "a", type: "block-device" }], /neither file nor folder/],
  ["a pipe", [{ name: "a", type: "fifo" }], /neither file nor folder \(fifo\)/],
  [
    "one name twice",
    [
      { name: "a", content: "x" },
      { name: "a", content: "y" },
    ],
    /two entries for one place/,
  ],
  [
    "one name twice, written otherwise",
    [
      { name: "a", content: "x" },
      { name: "./a", content: "y" },
    ],
    /two entries/,
  ],
  [
    "names that differ in case",
    [
      { name: "a", content: "x" },
      { name: "A", content: "y" },
    ],
    /two entries/,
  ],
  [
    "names that differ in their accents' form",
    [
      { name: "\u00e9", content: "x" },
      { name: "E\u0301", content: "y" },
    ],
    /two entries/,
  ],
  [
    "a file in a file",
    [
      { name: "a", content: "x" },
      { name: "a/b", content: "y" },
    ],
    /within a file/,
  ],
];

describe("T12: an archive", () => {
  it.each(HOSTILE)("is refused for %s", async (_what, entries, problem) => {
    const bytes = await tar(...entries);
    await expect(readArchive(bytes, "it")).rejects.toThrow(problem);
    await expect(readArchive(gzipSync(bytes), "it")).rejects.toThrow(problem);
  });

  it("is refused for too many entries, and for folders that count as well", async () => {
    const folders = Array.from({ length: LIMITS.entries + 1 }, (): Entry => ({
      name: "a/",
      type: "directory",
    }));
    await expect(readArchive(await tar(...folders), "it")).rejects.toThrow(
      `more than ${LIMITS.entries} entries`,
    );
  });

  it("is refused when it inflates to more than any output, before that much is held", async () => {
    const bomb = gzipSync(Buffer.alloc(LIMITS.bytes + 1_024));
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().rss;
    await expect(readArchive(bomb, "it")).rejects.toThrow(/inflates to more than/);
    expect(process.memoryUsage().rss - before).toBeLessThan(4 * LIMITS.bytes);
    await expect(readArchive(Buffer.alloc(LIMITS.bytes + 1), "it")).rejects.toThrow(/larger than/);
  });

  it("is refused when it is cut off, damaged or none", async () => {
    const whole = await tar({ name: "server/main.ts", content: "x".repeat(5_000) });
    await expect(readArchive(whole.subarray(0, 3_000), "it")).rejects.toThrow(
      /whole tar archive|ends within/,
    );
    await expect(readArchive(gzipSync(whole).subarray(0, 60), "it")).rejects.toThrow(/does not inflate/);
    const damaged = Buffer.from(whole);
    damaged[0] = 0x41;
    await expect(readArchive(damaged, "it")).rejects.toThrow(/no whole tar archive/);
    await expect(readArchive(Buffer.from("hello, I am no archive".repeat(100)), "it")).rejects.toThrow(
      /no whole tar archive/,
    );
    const huge = await tar({ name: "a", content: "x" });
    huge.write("77777777777\0", 124);
    await expect(readArchive(huge, "it")).rejects.toThrow(/no whole tar archive|ends within/);
  });

  it("is written to the same bytes in any order, and read back, with names as long as any", async () => {
    const long = `server/${"folder/".repeat(40)}main.ts`;
    const files = new Map([
      [long, Buffer.from("a")],
      ["agent/main.ts", Buffer.from("b".repeat(1_000))],
      ["governance/empty", Buffer.alloc(0)],
    ]);
    const bytes = await writeArchive(files);
    expect(await writeArchive(new Map([...files].reverse()))).toEqual(bytes);
    const read = await readArchive(bytes, "it");
    expect([...read].sort()).toEqual([...files].sort());
  });
});
