import { spawnSync } from "node:child_process";
import { generateKeyPairSync, hash, sign } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Headers } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUNDLE_TYPE, preAuthEncoding } from "#runtime/bundle";
import { bootServer, topogate, workspace } from "./harness/emitted.ts";

const work = workspace();
afterAll(() => work.remove());
const ed = generateKeyPairSync("ed25519");
let turn = 0;
/** A place that nothing stands at yet. */
const fresh = (): string => work.path(`placed/${(turn += 1)}`);

function keyFiles(name: string, keys: Pick<typeof ed, "privateKey" | "publicKey">): void {
  writeFileSync(work.path(`${name}.key`), keys.privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(work.path(`${name}.pub`), keys.publicKey.export({ type: "spki", format: "pem" }));
}
interface Run {
  readonly status: number | null;
  readonly said: string;
}
const bundle = (...args: string[]): Run => {
  const run = topogate(["bundle", ...args], { cwd: work.folder });
  return { status: run.status, said: run.stdout + run.stderr };
};
const pull = (from: string, to: string, name = "ed", ...more: string[]): Run =>
  bundle("pull", "--from", from, "--key", work.path(`${name}.pub`), "--to", to, ...more);

async function tar(
  entries: readonly (Partial<Headers> & { name: string; content?: Buffer })[],
): Promise<Buffer> {
  const writer = pack();
  for (const { content, ...header } of entries) writer.entry(header, content ?? Buffer.alloc(0));
  writer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of writer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
/** The largest blob is the files. */
const largest = (blobs: readonly string[]): string =>
  [...blobs].sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? "";
/** Nothing at the place, and nothing left beside it. */
const expectNothing = (to: string): void => {
  expect(existsSync(to)).toBe(false);
  const parent = join(to, "..");
  expect(existsSync(parent) ? readdirSync(parent).filter((name) => name.startsWith(".")) : []).toEqual([]);
};

beforeAll(() => {
  work.draw(
    "signed",
    "apiVersion: topology/v1\nstack: signed\ncomponents: {valkey: {}}\nlinks: {mcp: {valkey: read}}\n",
  );
  work.generate();
  keyFiles("ed", ed);
  keyFiles("other", generateKeyPairSync("ed25519"));
  keyFiles("cosign", generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
  mkdirSync(work.path("placed"));
  expect(bundle("sign", "signed", "--key", work.path("ed.key"))).toMatchObject({ status: 0 });
  expect(bundle("build", "signed", "--pub", work.path("ed.pub"), "--to", work.path("layout"))).toMatchObject({
    status: 0,
  });
});

describe("bundle build", () => {
  it("T25: writes an OCI image-layout whose every blob is what its digest says", () => {
    const layout = work.path("layout");
    const json = (path: string): unknown => JSON.parse(readFileSync(join(layout, path), "utf8"));
    expect(json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const blobs = readdirSync(join(layout, "blobs/sha256"));
    expect(blobs.length).toBe(4);
    for (const name of blobs)
      expect(hash("sha256", readFileSync(join(layout, "blobs/sha256", name)), "hex")).toBe(name);
    const { manifests } = json("index.json") as {
      manifests: { mediaType: string; digest: string; size: number }[];
    };
    const [first] = manifests;
    expect(first?.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    const manifest = json(`blobs/sha256/${first?.digest.slice(7)}`) as {
      config: object;
      layers: { mediaType: string }[];
    };
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {
        mediaType: "application/vnd.oci.empty.v1+json",
        digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        size: 2,
      },
    });
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([
      "application/vnd.dsse.envelope.v1+json",
      "application/vnd.oci.image.layer.v1.tar",
    ]);
  });

  it("gives the same bytes again, as a folder and as an archive, and refuses to stand in anything's place", () => {
    const pub = work.path("ed.pub");
    const [again, one, two] = ["again", "one.tar", "two.tar"].map((name) => work.path(name)) as [
      string,
      string,
      string,
    ];
    for (const to of [again, again, one, one, two])
      expect(bundle("build", "signed", "--pub", pub, "--to", to)).toMatchObject({ status: 0 });
    expect(filesOf(again)).toEqual(filesOf(work.path("layout")));
    expect(readFileSync(one)).toEqual(readFileSync(two));
    writeFileSync(join(again, "mine.txt"), "");
    writeFileSync(two, "");
    expect(bundle("build", "signed", "--pub", pub, "--to", again).said).toContain(
      "again/mine.txt was not placed",
    );
    expect(bundle("build", "signed", "--pub", pub, "--to", two).said).toContain("is something else");
    const listed = spawnSync("tar", ["tf", one], { encoding: "utf8" }).stdout.trim().split("\n");
    expect(listed.sort()).toEqual(filesOf(work.path("layout")));
  });

  it("builds nothing that is not signed with the key, or not as it was signed", () => {
    const to = fresh();
    expect(bundle("build", "signed", "--pub", work.path("other.pub"), "--to", to)).toMatchObject({
      status: 1,
    });
    const path = work.path("out/signed/server/registry.ts");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, `${text}// more\n`);
    expect(bundle("build", "signed", "--pub", work.path("ed.pub"), "--to", to).said).toContain(
      "server/registry.ts is not what was signed",
    );
    writeFileSync(path, text);
    expectNothing(to);
  });
});

describe("bundle pull", () => {
  it("T12: places exactly what was signed, from a layout, a folder and archives of both, and again", async () => {
    const wanted = filesOf(work.path("out/signed")).filter((path) =>
      /^(server|agent|governance)\//.test(path),
    );
    const tgz = work.path("output.tgz");
    const copy = work.path("copy");
    cpSync(work.path("out/signed"), copy, { recursive: true });
    cpSync(work.path("out/signed.bundle.dsse.json"), join(copy, "bundle.dsse.json"));
    expect(spawnSync("tar", ["czf", tgz, "-C", copy, "."]).status).toBe(0);
    for (const from of [work.path("layout"), work.path("out/signed"), copy, tgz, work.path("one.tar")]) {
      const to = fresh();
      for (const how of [/\d+ files of signed\n$/, /as they were\n$/]) {
        const { status, said } = pull(from, to);
        expect([status, said]).toEqual([0, expect.stringMatching(how)]);
      }
      expect(filesOf(to)).toEqual([...wanted, "bundle.dsse.json"].sort());
      for (const path of wanted)
        expect(readFileSync(join(to, path))).toEqual(readFileSync(work.path("out/signed", path)));
      expect(statSync(to).mode & 0o777).toBe(0o755);
    }
  });

  it("T12: what was placed runs, and the server demands the same bundle", async () => {
    const to = fresh();
    expect(pull(work.path("layout"), to).status).toBe(0);
    const environment = {
      MCP_BUNDLE_KEY_FILE: work.path("ed.pub"),
      MCP_BUNDLE_FILE: join(to, "bundle.dsse.json"),
    };
    const server = await bootServer(to, environment);
    expect(await server.stop()).toBe(0);
  });

  it("T13: with a key of P-256, as cosign signs a file", () => {
    const [to, layout] = [fresh(), work.path("cosigned")];
    const named = work.path("out/signed.bundle.json");
    bundle("sign", "signed", "--key", work.path("cosign.key"));
    const built = bundle(
      "build",
      "signed",
      "--pub",
      work.path("cosign.pub"),
      "--bundle",
      named,
      "--to",
      layout,
    );
    expect(built.status, built.said).toBe(0);
    expect(pull(layout, to, "cosign").status).toBe(0);
    expect(filesOf(to)).toEqual(expect.arrayContaining(["bundle.json", "bundle.json.sig"]));
    expect(pull(layout, to, "cosign").said).toContain("as they were");
    expect(pull(layout, fresh(), "ed").said).toContain("is not signed with this key");
    for (const name of [named, `${named}.sig`]) rmSync(name);
  });

  it("takes a bundle with several tags for one, and reads what is left of one that was taken apart", () => {
    const [tagged, apart] = [work.path("tagged"), work.path("apart")];
    cpSync(work.path("layout"), tagged, { recursive: true });
    const index = JSON.parse(readFileSync(join(tagged, "index.json"), "utf8")) as { manifests: object[] };
    const latest = { ...index.manifests[0], annotations: { "org.opencontainers.image.ref.name": "latest" } };
    const manifests = [...index.manifests, latest];
    writeFileSync(join(tagged, "index.json"), JSON.stringify({ ...index, manifests }));
    expect(pull(tagged, fresh())).toMatchObject({ status: 0 });
    // The same digest with another size is not the same thing.
    writeFileSync(
      join(tagged, "index.json"),
      JSON.stringify({ ...index, manifests: [...index.manifests, { ...latest, size: 1 }] }),
    );
    expect(pull(tagged, fresh()).said).toContain("is not what its digest and size say");

    mkdirSync(apart);
    cpSync(work.path("out/signed.bundle.dsse.json"), join(apart, "bundle.dsse.json"));
    const blobs = readdirSync(work.path("layout/blobs/sha256"));
    const files = largest(blobs.map((name) => work.path("layout/blobs/sha256", name)));
    cpSync(files, join(apart, "files.tar"));
    const to = fresh();
    expect(pull(apart, to)).toMatchObject({ status: 0 });
    expect(filesOf(to)).toContain("server/main.ts");
    expect(filesOf(to)).not.toContain("files.tar");
    writeFileSync(join(apart, "files.tar"), "no archive");
    expect(pull(apart, fresh())).toMatchObject({
      status: 1,
      said: expect.stringContaining("no whole tar archive"),
    });
    rmSync(join(apart, "files.tar"));
    symlinkSync(files, join(apart, "files.tar"));
    expect(pull(apart, fresh()).said).toContain("is a link");
  });

  it("fetches nothing over the network, and says how to get it here", () => {
    for (const from of ["oci://registry.test/x:1", "https://registry.test/x.tgz"]) {
      const { status, said } = pull(from, fresh());
      expect([status, said]).toEqual([2, expect.stringContaining("nothing is fetched over the network")]);
    }
    expect(bundle("pull", "--help").said.replaceAll(/\s+/g, " ")).toContain(
      "nothing is fetched over the network",
    );
    expect(pull(work.path("nowhere"), fresh())).toMatchObject({ status: 2 });
  });
});

/** A layout with one thing changed by whoever brings it. */
const changedLayout = (change: (folder: string, blobs: readonly string[]) => void): string => {
  turn += 1;
  const copy = work.path(`changed-${turn}`);
  cpSync(work.path("layout"), copy, { recursive: true });
  change(
    copy,
    readdirSync(join(copy, "blobs/sha256")).map((name) => join(copy, "blobs/sha256", name)),
  );
  return copy;
};

describe("a bundle that was tampered with", () => {
  it.each<readonly [string, RegExp, (folder: string, blobs: readonly string[]) => void]>([
    [
      "a byte of a blob",
      /is not what its digest and size say/,
      (_, blobs) => {
        const bytes = readFileSync(largest(blobs));
        bytes[700] = (bytes[700] ?? 0) ^ 1;
        writeFileSync(largest(blobs), bytes);
      },
    ],
    ["a blob that is gone", /is missing/, (_, blobs) => rmSync(largest(blobs))],
    [
      "a blob that is a link",
      /is a link/,
      (folder, blobs) => {
        const blob = largest(blobs);
        renameSync(blob, join(folder, "elsewhere"));
        symlinkSync(join(folder, "elsewhere"), blob);
      },
    ],
    [
      "a digest that is a path",
      /without type, SHA-256 digest or size/,
      (folder) => {
        const index = readFileSync(join(folder, "index.json"), "utf8");
        writeFileSync(
          join(folder, "index.json"),
          index.replace(/sha256:[0-9a-f]{64}/, "sha256:../../../etc/passwd"),
        );
      },
    ],
    ["another layout", /is not of version/, (folder) => writeFileSync(join(folder, "oci-layout"), "{}")],
    [
      "an index that is none",
      /is no JSON object/,
      (folder) => writeFileSync(join(folder, "index.json"), "["),
    ],
    [
      "an index of nothing",
      /names 0 bundles/,
      (folder) => writeFileSync(join(folder, "index.json"), '{"manifests":[]}'),
    ],
    [
      "two bundles",
      /names 2 bundles/,
      (folder) => {
        const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as {
          manifests: { digest: string; size: number }[];
        };
        const [first = { digest: "", size: 0 }] = index.manifests;
        const blob = (digest: string): string => join(folder, "blobs/sha256", digest.slice(7));
        const text = `${readFileSync(blob(first.digest), "utf8")}\n`;
        const another = { ...first, size: first.size + 1, digest: `sha256:${hash("sha256", text, "hex")}` };
        writeFileSync(blob(another.digest), text);
        writeFileSync(
          join(folder, "index.json"),
          JSON.stringify({ manifests: [...index.manifests, another] }),
        );
      },
    ],
  ])("T15: %s: nothing is placed", (_what, problem, change) => {
    const to = fresh();
    const { status, said } = pull(changedLayout(change), to);
    expect([status, said]).toEqual([1, expect.stringMatching(problem)]);
    expectNothing(to);
  });

  it("T15: consistent blobs around files that were not signed, and another key: nothing is placed", () => {
    const to = fresh();
    const copy = work.path("forged");
    cpSync(work.path("out/signed"), copy, { recursive: true });
    cpSync(work.path("out/signed.bundle.dsse.json"), join(copy, "bundle.dsse.json"));
    writeFileSync(join(copy, "server/main.ts"), "// mine\n");
    expect(pull(copy, to)).toMatchObject({
      status: 1,
      said: expect.stringContaining("server/main.ts is not what was signed"),
    });
    rmSync(join(copy, "server/main.ts"));
    expect(pull(copy, to).said).toContain("server/main.ts is missing");
    symlinkSync("/etc/passwd", join(copy, "server/main.ts"));
    expect(pull(copy, to).said).toContain("is a link");
    rmSync(join(copy, "bundle.dsse.json"));
    expect(pull(copy, to).said).toContain("nothing in it is signed");
    expect(pull(work.path("layout"), to, "other").said).toContain("is not signed with this key");
    expectNothing(to);
  });

  it.each([
    "../evil",
    "/etc/evil",
    "server/../../evil",
    "k8s/secret.yaml",
    "bundle.dsse.json",
    "server\\evil",
  ])("T15: even signed, the name %s is not placed", async (name) => {
    const content = Buffer.from("x");
    const statement = {
      version: 1,
      stack: "signed",
      environment: null,
      files: { [name]: hash("sha256", content, "hex") },
    };
    const payload = Buffer.from(JSON.stringify(statement));
    const sig = sign(null, preAuthEncoding(BUNDLE_TYPE, payload), ed.privateKey).toString("base64");
    const envelope = { payloadType: BUNDLE_TYPE, payload: payload.toString("base64"), signatures: [{ sig }] };
    const from = work.path("named.tgz");
    writeFileSync(
      from,
      gzipSync(await tar([{ name: "bundle.dsse.json", content: Buffer.from(JSON.stringify(envelope)) }])),
    );
    const to = fresh();
    expect(pull(from, to)).toMatchObject({
      status: 1,
      said: expect.stringContaining("which is of no output"),
    });
    expectNothing(to);
  });

  it("T15: a hostile archive is refused as a whole, also for what nobody signed", async () => {
    const envelope = readFileSync(work.path("out/signed.bundle.dsse.json"));
    const from = work.path("hostile.tgz");
    const to = fresh();
    for (const [entry, problem] of [
      [{ name: "../../evil", content: Buffer.from("x") }, "leaves its folder"],
      [{ name: "docs/link", type: "symlink", linkname: "/etc/passwd" }, "neither file nor folder"],
      [{ name: "bundle.dsse.json", content: envelope }, "two entries for one place"],
    ] as const) {
      writeFileSync(from, gzipSync(await tar([{ name: "bundle.dsse.json", content: envelope }, entry])));
      expect(pull(from, to)).toMatchObject({ status: 1, said: expect.stringContaining(problem) });
    }
    expectNothing(to);
  });
});

describe("where a bundle goes", () => {
  it("replaces what a bundle placed, and nothing else", () => {
    const to = fresh();
    expect(pull(work.path("layout"), to).status).toBe(0);
    writeFileSync(join(to, "mine.txt"), "");
    expect(pull(work.path("layout"), to).said).toContain("mine.txt was not placed by a bundle");
    rmSync(join(to, "mine.txt"));
    writeFileSync(join(to, "server/main.ts"), "// edited by hand\n");
    expect(pull(work.path("layout"), to).said).toContain(
      "server/main.ts was not placed by a bundle, or was changed",
    );
    expect(readFileSync(join(to, "server/main.ts"), "utf8")).toBe("// edited by hand\n");
    const [empty, link] = [fresh(), fresh()];
    mkdirSync(empty, { recursive: true });
    expect(pull(work.path("layout"), empty).status).toBe(0);
    symlinkSync(empty, link);
    expect(pull(work.path("layout"), link).said).toContain("is no folder");
    const same = fresh();
    mkdirSync(join(same, "server"), { recursive: true });
    cpSync(work.path("out/signed/server/main.ts"), join(same, "server/main.ts"));
    expect(pull(work.path("layout"), same).status).toBe(0);
    expect(readdirSync(work.path("placed")).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("never goes back to an older revision by itself, nor to another stack", () => {
    const to = fresh();
    const release = (revision: string | undefined, more = ""): string => {
      const path = work.path("out/signed/governance/policy.json");
      const text = readFileSync(path, "utf8");
      const layout = work.path(`release-${(turn += 1)}`);
      writeFileSync(path, `${text}${more}`);
      const numbered = revision === undefined ? [] : ["--revision", revision];
      expect(bundle("sign", "signed", "--key", work.path("ed.key"), ...numbered).status).toBe(0);
      expect(bundle("build", "signed", "--pub", work.path("ed.pub"), "--to", layout).status).toBe(0);
      writeFileSync(path, text);
      return layout;
    };
    const [four, five, none, fiveAgain] = [
      release("4"),
      release("5", "\n"),
      release(undefined),
      release("5"),
    ];
    expect(pull(four, to).said).toContain("revision 4");
    expect(pull(five, to).said).toContain("revision 5");
    for (const [from, problem] of [
      [four, "holds revision 5, and this is 4"],
      [none, "holds revision 5, and this is without one"],
      [fiveAgain, "the same number for other files"],
    ] as const)
      expect(pull(from, to)).toMatchObject({ status: 1, said: expect.stringContaining(problem) });
    expect(pull(five, to).said).toContain("as they were");
    expect(pull(four, to, "ed", "--allow-downgrade")).toMatchObject({ status: 0 });
    work.draw(
      "second",
      "apiVersion: topology/v1\nstack: second\ncomponents: {valkey: {}}\nlinks: {mcp: {valkey: read}}\n",
    );
    work.generate("second");
    bundle("sign", "second", "--key", work.path("ed.key"));
    expect(pull(work.path("out/second"), to).said).toContain(
      "holds signed (base), and this is second (base)",
    );
    expect(bundle("sign", "signed", "--key", work.path("ed.key"), "--revision", "1.5")).toMatchObject({
      status: 2,
    });
  });
});
