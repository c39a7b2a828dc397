import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { workplace } from "../../generator/seal/live.ts";
import type { Workplace } from "../../generator/seal/live.ts";
import { topogate } from "../../test/harness/emitted.ts";
import { keyPairs } from "../../test/harness/sealing.ts";
import type { KeyPair } from "../../test/harness/sealing.ts";
import { liveVersion } from "../../test/live/server.ts";

const FILES = ["credentials/cloud.sops.env", "k8s/secret.sops.yaml"] as const;
const EDIT = `#!/bin/sh
sed -i 's/^\\( *MCP_VALKEY_PASSWORD\\(=\\|: *\\)\\).*/\\1edited-by-a-person/' "$1"
`;

let place: Workplace;
let ann: KeyPair;
let bob: KeyPair;

function draw(recipients: readonly KeyPair[], links = "valkey: read, cnpg: read"): void {
  place.write(
    "stacks/shop.yaml",
    `apiVersion: topology/v1
stack: shop
components:
  valkey: {namespace: cache}
  cnpg: {namespace: db, databases: [app_db]}
  mcp: {namespace: ai, recipients: [${recipients.map(({ recipient }) => recipient).join(", ")}]}
links:
  mcp: {stack_agent: read, ${links}}
`,
  );
}

function generate(): string {
  const env = { PATH: process.env["PATH"], HOME: place.folder, SOPS_AGE_KEY: ann.identity };
  const ended = topogate(["generate"], { cwd: place.folder, env });
  expect(ended.status, ended.stderr).toBe(0);
  return ended.stdout;
}

/** Run in the output's own folder, where a person would: its .sops.yaml is found from there. */
function sops(
  args: readonly string[],
  keys = [ann],
  environment: Readonly<Record<string, string>> = {},
): string {
  return place.sops(args, keys, environment, "out/shop");
}

const texts = (): readonly string[] => FILES.map((file) => place.read(`out/shop/${file}`));
const dotenv = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    sops(["decrypt", FILES[0]])
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
const secret = (keys = [ann]): Readonly<Record<string, string>> =>
  JSON.parse(
    sops(["decrypt", "--output-type", "json", "--extract", '["stringData"]', FILES[1]], keys),
  ) as Record<string, string>;

beforeAll(async () => {
  expect(liveVersion("seal"), "run: bash generator/seal/live.sh install").toMatch(/^3\.\d+\.\d+$/);
  [ann, bob] = (await keyPairs(2)) as [KeyPair, KeyPair];
});

describe("what is emitted, in the hands of the real sops", () => {
  beforeEach(() => {
    place = workplace();
    draw([ann]);
    generate();
    return () => place.remove();
  });
  it("S6: sops decrypts both files to the same values", () => {
    const values = dotenv();
    expect(Object.keys(values)).toEqual([
      "MCP_AGENT_TOKEN",
      "MCP_API_KEY",
      "MCP_CNPG_APP_DB_PASSWORD",
      "MCP_VALKEY_PASSWORD",
    ]);
    expect(secret()).toEqual(values);
    expect(() => sops(["decrypt", FILES[0]], [bob])).toThrow();
  });

  it("S1: and after a link is gone, the rest", () => {
    const { MCP_CNPG_APP_DB_PASSWORD: _, ...rest } = dotenv();
    draw([ann], "valkey: read");
    generate();
    expect(dotenv()).toEqual(rest);
    expect(secret()).toEqual(rest);
  });

  it("`sops edit` in both files is taken over, and the next run changes only the pods' checksum", () => {
    const editor = place.write("editor.sh", EDIT);
    for (const file of FILES) sops(["edit", file], [ann], { EDITOR: editor });
    const edited = texts();
    expect(generate()).toMatch(/generated 1, .* deleted 0\n$/);
    expect(texts()).toEqual(edited);
    expect(dotenv()["MCP_VALKEY_PASSWORD"]).toBe("edited-by-a-person");
    expect(secret()["MCP_VALKEY_PASSWORD"]).toBe("edited-by-a-person");
    expect(generate()).toContain("generated 0,");
  });

  it("`sops updatekeys` by the emitted .sops.yaml finds nothing to do, and does what a run would", () => {
    for (const file of FILES) sops(["updatekeys", "--yes", file]);
    const before = texts();
    expect(generate()).toContain("generated 0,");
    draw([ann, bob]);
    generate();
    const ours = texts();
    for (const file of FILES) sops(["updatekeys", "--yes", file]);
    expect(texts()).toEqual(ours);
    expect(texts()).not.toEqual(before);
    expect(secret([bob])).toEqual(secret());
  });

  it("`sops rotate` keeps every value, and the next run keeps its bytes", () => {
    const values = dotenv();
    for (const file of FILES) sops(["rotate", "--in-place", file]);
    const rotated = texts();
    generate();
    expect(texts()).toEqual(rotated);
    expect(dotenv()).toEqual(values);
  });

  it("`sops encrypt` by the emitted .sops.yaml makes a file that the next run takes over", () => {
    const plain = place.write("out/shop/credentials/plain.txt", sops(["decrypt", FILES[0]]));
    const sealed = sops([
      "encrypt",
      "--filename-override",
      FILES[0],
      "--input-type",
      "dotenv",
      "--output-type",
      "dotenv",
      plain,
    ]);
    const values = dotenv();
    place.write(`out/shop/${FILES[0]}`, sealed);
    place.discard("out/shop/credentials/plain.txt");
    generate();
    expect(place.read(`out/shop/${FILES[0]}`)).toBe(sealed);
    expect(dotenv()).toEqual(values);
  });
});
