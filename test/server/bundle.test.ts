import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootServer, topogate, workspace } from "../harness/emitted.ts";

const work = workspace();
afterAll(() => work.remove());
const folder = work.path("out/signed");

function keyFiles(name: string, type: "ed25519" | "ec"): void {
  const { privateKey, publicKey } =
    type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type, { namedCurve: "prime256v1" });
  writeFileSync(work.path(`${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(work.path(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
}

const bundle = (verb: string, ...more: string[]): { status: number | null; said: string } => {
  const run = topogate(["bundle", verb, "signed", ...more], { cwd: work.folder });
  return { status: run.status, said: run.stdout + run.stderr };
};
const refusal = async (environment: Record<string, string>): Promise<string> =>
  await bootServer(folder, environment).then(
    async (server) => `started, exit ${await server.stop()}`,
    (error: Error) => error.message,
  );

beforeAll(() => {
  work.draw(
    "signed",
    "apiVersion: topology/v1\nstack: signed\ncomponents: {valkey: {}}\nlinks: {mcp: {valkey: read}}\n",
  );
  work.generate();
  keyFiles("ed", "ed25519");
  keyFiles("other", "ed25519");
  keyFiles("cosign", "ec");
});

describe.each([
  ["DSSE with Ed25519", "ed", "out/signed.bundle.dsse.json"],
  ["as cosign signs a file", "cosign", "out/signed.bundle.json"],
])("a signed output, %s", (_how, name, file) => {
  const [key, pub, path] = [work.path(`${name}.key`), work.path(`${name}.pub`), work.path(file)];
  const environment = { MCP_BUNDLE_KEY_FILE: pub, MCP_BUNDLE_FILE: path };
  beforeAll(() => {
    for (const each of [".dsse.json", ".json", ".json.sig"])
      rmSync(work.path(`out/signed.bundle${each}`), { force: true });
    expect(bundle("sign", "--key", key)).toMatchObject({ status: 0 });
  });

  it("T12: verifies, leaves the output as generated, and the server starts with it", async () => {
    expect(existsSync(path)).toBe(true);
    expect(bundle("verify", "--pub", pub)).toMatchObject({ status: 0 });
    expect(topogate(["generate", "--check"], { cwd: work.folder }).status).toBe(0);
    expect(await refusal(environment)).toBe("started, exit 0");
  });

  it("T15: is refused when a file, the signature or the key is another", async () => {
    const registry = join(folder, "server/registry.ts");
    const text = readFileSync(registry, "utf8");
    appendFileSync(registry, "// more\n");
    expect(bundle("verify", "--pub", pub)).toMatchObject({
      status: 1,
      said: "signed: server/registry.ts is not what was signed\n",
    });
    expect(await refusal(environment)).toContain("server/registry.ts is not what was signed");
    writeFileSync(registry, text);
    const other = work.path("other.pub");
    expect(bundle("verify", "--pub", other).said).toContain("is not signed with this key");
    expect(await refusal({ ...environment, MCP_BUNDLE_KEY_FILE: other })).toContain(
      "is not signed with this key",
    );
    expect(await refusal({ MCP_BUNDLE_KEY_FILE: pub })).toContain("MCP_BUNDLE_FILE is not set");
    const whole = readFileSync(path, "utf8");
    writeFileSync(
      path,
      name === "ed"
        ? whole.replace('"payload":"', '"payload":"A')
        : whole.replace('"version": 1', '"version": 2'),
    );
    expect(await refusal(environment)).toMatch(
      /MCP_BUNDLE_FILE (is not signed with this key|cannot be read)/,
    );
    writeFileSync(path, whole);
  }, 120_000);
});

describe("what other tools make of it", () => {
  it("T13: openssl verifies the signature that cosign's verify-blob reads", () => {
    const [file, pub] = [work.path("out/signed.bundle.json"), work.path("cosign.pub")];
    const signature = work.path("raw.sig");
    writeFileSync(signature, Buffer.from(readFileSync(`${file}.sig`, "utf8"), "base64"));
    const run = spawnSync("openssl", ["dgst", "-sha256", "-verify", pub, "-signature", signature, file], {
      encoding: "utf8",
    });
    expect(run.stdout).toBe("Verified OK\n");
  });

  it("signs the same output to the same bytes with Ed25519", () => {
    const path = work.path("out/signed.bundle.dsse.json");
    bundle("sign", "--key", work.path("ed.key"));
    const first = readFileSync(path, "utf8");
    bundle("sign", "--key", work.path("ed.key"));
    expect(readFileSync(path, "utf8")).toBe(first);
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    writeFileSync(work.path("rsa.key"), rsa.export({ type: "pkcs8", format: "pem" }));
    expect(bundle("sign", "--key", work.path("rsa.key"))).toMatchObject({ status: 2 });
  });
});
