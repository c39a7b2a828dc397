/** T25: the programs that others move bundles with read what is built here, and give back what is placed here. */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, topogate, workspace } from "../../test/harness/emitted.ts";
import { liveScript, liveVersion, startLive } from "../../test/live/server.ts";
import type { LiveServer } from "../../test/live/server.ts";

const ARTIFACT = "application/vnd.topogate.bundle.v1";
const DSSE = "application/vnd.dsse.envelope.v1+json";
const TAR = "application/vnd.oci.image.layer.v1.tar";

const work = workspace();
let programs: string;
let registry: LiveServer;
let turn = 0;
/** A place that nothing stands at yet. */
const fresh = (): string => work.path(`fresh-${(turn += 1)}`);

interface Run {
  readonly status: number | null;
  readonly said: string;
}
/** With a home of its own, so that nobody's logins are looked for. */
function run(program: "oras" | "crane", args: readonly string[], cwd = work.folder): Run {
  const env = { PATH: process.env["PATH"], HOME: work.path("home") };
  const { status, stdout, stderr } = spawnSync(join(programs, program), args, { cwd, env, encoding: "utf8" });
  return { status, said: stdout + stderr };
}
function done(program: "oras" | "crane", ...args: readonly string[]): string {
  const { status, said } = run(program, args);
  expect(status, `${program} ${args.join(" ")}\n${said}`).toBe(0);
  return said;
}
const bundle = (...args: string[]): Run => {
  const { status, stdout, stderr } = topogate(["bundle", ...args], { cwd: work.folder });
  return { status, said: stdout + stderr };
};
const pull = (from: string, to: string, key = "ed"): Run =>
  bundle("pull", "--from", from, "--key", work.path(`${key}.pub`), "--to", to);
const remote = (tag: string): string => `127.0.0.1:${registry.port}/shop/signed:${tag}`;

const SIGNED = /^(?:server|agent|governance)\//;
const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
/** Every file that was signed, byte by byte, and the statement. */
function expectPlaced(from: string, statement: readonly string[] = ["bundle.dsse.json"], key = "ed"): void {
  const to = fresh();
  const { status, said } = pull(from, to, key);
  expect([status, said]).toEqual([0, expect.stringMatching(/files of signed, revision 7\n$/)]);
  const wanted = filesOf(work.path("out/signed")).filter((path) => SIGNED.test(path));
  expect(filesOf(to)).toEqual([...wanted, ...statement].sort());
  for (const path of wanted)
    expect(readFileSync(join(to, path)).equals(readFileSync(work.path("out/signed", path))), path).toBe(true);
}
function expectRefused(from: string, problem: string): void {
  const to = fresh();
  expect(pull(from, to)).toEqual({ status: 1, said: expect.stringContaining(problem) });
  expect(existsSync(to)).toBe(false);
}

interface Layout {
  readonly manifests: readonly {
    readonly digest: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}
const indexOf = (layout: string): Layout =>
  JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as Layout;

beforeAll(async () => {
  expect(liveVersion("bundle"), "run: bash generator/bundle/live.sh install").toMatch(
    /^oras 1\.\d+\.\d+, crane 0\.\d+\.\d+$/,
  );
  programs = execFileSync("bash", [liveScript("bundle"), "path"], { encoding: "utf8" }).trim();
  mkdirSync(work.path("home"));
  registry = await startLive("bundle");
  work.draw(
    "signed",
    "apiVersion: topology/v1\nstack: signed\ncomponents: {valkey: {}}\nlinks: {mcp: {valkey: read}}\n",
  );
  work.generate();
  const pairs = {
    ed: generateKeyPairSync("ed25519"),
    cosign: generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
  };
  for (const [name, { privateKey, publicKey }] of Object.entries(pairs)) {
    writeFileSync(work.path(`${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(work.path(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
    const signed = bundle("sign", "signed", "--key", work.path(`${name}.key`), "--revision", "7");
    expect(signed.status, signed.said).toBe(0);
  }
  const cosigned = work.path("out/signed.bundle.json");
  for (const [to, ...more] of [
    [work.path("layout")],
    [work.path("layout.tar")],
    [work.path("cosigned"), "--bundle", cosigned],
  ] as const) {
    const pub = work.path(more.length === 0 ? "ed.pub" : "cosign.pub");
    const built = bundle("build", "signed", "--pub", pub, "--to", to, ...more);
    expect(built.status, built.said).toBe(0);
  }
});
afterAll(async () => {
  await registry?.stop();
  work.remove();
});

describe("T25: oras reads a layout", () => {
  it.each(["layout", "layout.tar"])("finds the bundle in %s by the stack's name, as it was built", (name) => {
    const from = `${work.path(name)}:signed`;
    const manifest: unknown = JSON.parse(done("oras", "manifest", "fetch", "--oci-layout", from));
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      artifactType: ARTIFACT,
      config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 },
      layers: [
        { mediaType: DSSE, annotations: { "org.opencontainers.image.title": "bundle.dsse.json" } },
        { mediaType: TAR, annotations: { "org.opencontainers.image.title": "files.tar" } },
      ],
    });
    const descriptor: unknown = JSON.parse(
      done("oras", "manifest", "fetch", "--oci-layout", "--descriptor", from),
    );
    expect(descriptor).toMatchObject({ digest: indexOf(work.path("layout")).manifests[0]?.digest });
    expect(done("oras", "repo", "tags", "--oci-layout", work.path(name)).trim()).toBe("signed");
    expect(run("oras", ["manifest", "fetch", "--oci-layout", `${work.path(name)}:other`]).status).not.toBe(0);
  });

  it("copies it to another layout, and tags it, and what it made is placed", () => {
    const to = fresh();
    done("oras", "copy", "--from-oci-layout", `${work.path("layout")}:signed`, "--to-oci-layout", `${to}:v7`);
    expectPlaced(to);
    done("oras", "tag", "--oci-layout", `${to}:v7`, "stable", "latest");
    expect(indexOf(to).manifests.length).toBeGreaterThan(1);
    expectPlaced(to);
  });

  it("takes it apart, and what it left is placed", () => {
    const to = fresh();
    done("oras", "pull", "--oci-layout", `${work.path("layout")}:signed`, "--output", to);
    expect(filesOf(to)).toEqual(["bundle.dsse.json", "files.tar"]);
    expectPlaced(to);
    const listed = spawnSync("tar", ["tf", join(to, "files.tar")], { encoding: "utf8" }).stdout;
    expect(listed.split("\n")).toContain("server/main.ts");
  });

  it("a bundle that is signed as cosign signs", () => {
    const [copy, apart] = [fresh(), fresh()];
    const from = `${work.path("cosigned")}:signed`;
    done("oras", "copy", "--from-oci-layout", from, "--to-oci-layout", `${copy}:v7`);
    done("oras", "pull", "--oci-layout", from, "--output", apart);
    for (const each of [copy, apart]) expectPlaced(each, ["bundle.json", "bundle.json.sig"], "cosign");
  });
});

describe("T25: through a registry and back", () => {
  /** The bundle as it came back, in every way that oras has. */
  function expectBack(tag: string): void {
    const { digest } = indexOf(work.path("layout")).manifests[0] ?? { digest: "" };
    expect(done("crane", "digest", remote(tag)).trim()).toBe(digest);
    const [copy, apart, backup] = [fresh(), fresh(), `${fresh()}.tar`];
    done("oras", "copy", "--from-plain-http", remote(tag), "--to-oci-layout", `${copy}:${tag}`);
    done("oras", "pull", "--plain-http", remote(tag), "--output", apart);
    done("oras", "backup", "--plain-http", remote(tag), "--output", backup);
    for (const from of [copy, apart, backup]) expectPlaced(from);
  }

  it("crane pushes the layout, and oras and crane bring it back", () => {
    done("crane", "push", work.path("layout"), remote("by-crane"));
    expectBack("by-crane");
    const to = fresh();
    done("crane", "pull", "--format", "oci", remote("by-crane"), to);
    expectPlaced(to);
  });

  it.each(["layout", "layout.tar"])("oras copies %s there", (name) => {
    const tag = `from-${name}`;
    done("oras", "copy", "--from-oci-layout", `${work.path(name)}:signed`, "--to-plain-http", remote(tag));
    expectBack(tag);
  });

  it("what oras itself makes of the two files is a bundle as well", () => {
    const [apart, to] = [fresh(), fresh()];
    done("oras", "pull", "--oci-layout", `${work.path("layout")}:signed`, "--output", apart);
    const files = [`bundle.dsse.json:${DSSE}`, `files.tar:${TAR}`];
    const push = ["push", "--plain-http", "--artifact-type", ARTIFACT, remote("by-hand"), ...files];
    const { status, said } = run("oras", push, apart);
    expect(status, said).toBe(0);
    done("oras", "copy", "--from-plain-http", remote("by-hand"), "--to-oci-layout", `${to}:x`);
    expectPlaced(to);
  });

  it("what was placed from there runs, and the server demands the same bundle", async () => {
    const [copy, to] = [fresh(), fresh()];
    done("oras", "copy", "--from-plain-http", remote("by-crane"), "--to-oci-layout", `${copy}:x`);
    expect(pull(copy, to).status).toBe(0);
    const server = await bootServer(to, {
      MCP_BUNDLE_KEY_FILE: work.path("ed.pub"),
      MCP_BUNDLE_FILE: join(to, "bundle.dsse.json"),
    });
    expect(await server.stop()).toBe(0);
  });

  it("other files under the same tag, with the statement that is signed, are placed by nobody", () => {
    const [apart, output, copy] = [fresh(), fresh(), fresh()];
    done("oras", "pull", "--oci-layout", `${work.path("layout")}:signed`, "--output", apart);
    mkdirSync(output);
    for (const folder of ["server", "agent", "governance"])
      if (existsSync(work.path("out/signed", folder)))
        cpSync(work.path("out/signed", folder), join(output, folder), { recursive: true });
    writeFileSync(join(output, "server/main.ts"), "// mine\n");
    rmSync(join(apart, "files.tar"));
    expect(spawnSync("tar", ["cf", join(apart, "files.tar"), "-C", output, "."]).status).toBe(0);
    done("crane", "tag", remote("by-crane"), "stolen");
    const files = [`bundle.dsse.json:${DSSE}`, `files.tar:${TAR}`];
    const push = ["push", "--plain-http", "--artifact-type", ARTIFACT, remote("stolen"), ...files];
    const { status, said } = run("oras", push, apart);
    expect(status, said).toBe(0);
    done("oras", "copy", "--from-plain-http", remote("stolen"), "--to-oci-layout", `${copy}:x`);
    for (const from of [copy, apart]) expectRefused(from, "server/main.ts is not what was signed");
  });

  it("two bundles in one layout are refused: which one is meant is nowhere said", () => {
    const to = fresh();
    for (const tag of ["by-crane", "stolen"])
      done("oras", "copy", "--from-plain-http", remote(tag), "--to-oci-layout", `${to}:${tag}`);
    expectRefused(to, "names 2 bundles");
  });
});
