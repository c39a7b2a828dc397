import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entriesOf, HEAD, keyPair, keyPairs, lineDiff } from "../../test/harness/sealing.ts";
import type { KeyPair } from "../../test/harness/sealing.ts";
import { liveVersion } from "../../test/live/server.ts";
import { unwrapDataKey, wrapDataKey } from "./age.ts";
import { openForeign } from "./foreign.ts";
import { floatText } from "./go-scalar.ts";
import { sopsPath, workplace } from "./live.ts";
import type { Workplace } from "./live.ts";
import { openSealed } from "./open.ts";
import { seal } from "./seal.ts";
import type { SealedFormat, SealRequest } from "./seal.ts";
import { rulesOf } from "./sealed-file.ts";
import { systemRandomness } from "./system-randomness.ts";

const VALUES: Readonly<Record<string, string>> = {
  MCP_API_KEY: "k0",
  MCP_CNPG_PASSWORD: "p=1:/@%",
  MCP_PROM_TOKEN: "t2",
  MCP_VALKEY_PASSWORD: "p3",
};

/** Texts that a Secret must carry through SOPS, whatever its YAML does to them. */
const NASTY: Readonly<Record<string, string>> = {
  A_QUOTES: `"double" 'single' \`back\``,
  B_HASH: "a #b",
  C_DOLLAR: "$HOME ${HOME} $(id)",
  D_NEWLINES: "one\ntwo\n\n",
  E_BACKSLASH: "literal \\n and \\\\",
  F_BLANKS: "  both sides  ",
  G_UNICODE: "é漢😀\u2028\u0085",
  H_BOM: "\uFEFFmark",
  I_TAB: "\ta\r\n",
  J_NUMBER: "0123",
  K_WORD: "yes",
  L_NULL: "null",
  M_TIME: "2024-01-01",
  N_LONG: "x".repeat(5_000),
  O_YAML: "- a: {b: [c]} # d",
  P_CONTROL: "\u0001\u001B[31m\u007F",
  Q_SEALED: "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]",
};

let place: Workplace;
let ann: KeyPair;
let bob: KeyPair;
let cy: KeyPair;
let quinn: KeyPair;

beforeAll(async () => {
  expect(liveVersion("seal"), "run: bash generator/seal/live.sh install").toMatch(/^3\.\d+\.\d+$/);
  place = workplace();
  [ann, bob, cy] = (await keyPairs(3)) as [KeyPair, KeyPair, KeyPair];
  quinn = await keyPair("hybrid");
});

afterAll(() => place.remove());

interface Case {
  readonly format: SealedFormat;
  readonly file: string;
}

const CASES: readonly Case[] = [
  { format: "dotenv", file: "credentials/cloud.sops.env" },
  { format: "secret", file: "k8s/secret.sops.yaml" },
];

function requestOf({ format, file }: Case, changes: Partial<SealRequest> = {}): SealRequest {
  const recipients = [ann.recipient, bob.recipient];
  const request = { path: file, format, entries: entriesOf(VALUES), secret: HEAD, recipients };
  return { ...request, previous: undefined, identities: [ann.identity], ...changes };
}

/** Sealed long ago, so that whatever SOPS does to it has another time. */
async function sealed(each: Case, changes?: Partial<SealRequest>, year = 2025): Promise<string> {
  const randomness = { ...systemRandomness, now: () => new Date(`${year}-01-31T12:00:00Z`) };
  return (await seal(requestOf(each, changes), randomness)).text;
}

const jsonOf = (each: Case, text: string): Record<string, unknown> => {
  const data = JSON.parse(text) as Record<string, unknown>;
  return (each.format === "dotenv" ? data : data["stringData"]) as Record<string, unknown>;
};

/** What `sops decrypt` finds in a file. */
function decrypted(each: Case, keys: readonly KeyPair[]): Record<string, unknown> {
  return jsonOf(each, place.sops(["decrypt", "--output-type", "json", each.file], keys));
}

async function opened(each: Case, text: string): Promise<Record<string, string>> {
  const { entries } = await openSealed(each.file, text, each.format, [ann.identity]);
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

/** The rules that agree with this library, as a `.sops.yaml` beside the files has them. */
function sopsConfig(recipients: readonly string[]): string {
  const rules = rulesOf("secret");
  return `creation_rules:
  - path_regex: ^credentials/.*\\.sops\\.env$
    age: "${recipients.join(",")}"
  - path_regex: ^k8s/.*\\.sops\\.yaml$
    ${rules.name}: ${rules.pattern}
    mac_only_encrypted: ${rules.macOnlyEncrypted}
    age: "${recipients.join(",")}"
`;
}

const indexOf = (each: Case, name: string): string =>
  each.format === "dotenv" ? `["${name}"]` : `["stringData"]["${name}"]`;

describe.each(CASES)("S6: $file", (each) => {
  const metadata = each.format === "dotenv" ? ["sops_lastmodified", "sops_mac"] : ["lastmodified", "mac"];
  const version = each.format === "dotenv" ? "sops_version" : "version";

  /** After whatever SOPS did: it opens, and a run that changes nothing gives the very bytes back. */
  async function staysAsItIs(
    values: Readonly<Record<string, string>>,
    changes: Partial<SealRequest> = {},
  ): Promise<void> {
    const previous = place.read(each.file);
    expect(await opened(each, previous)).toEqual(values);
    const entries = entriesOf(values);
    const kept = await seal(requestOf(each, { previous, entries, ...changes }), systemRandomness);
    expect(kept).toMatchObject({ text: previous, outcome: "kept" });
    const blind = await seal(
      requestOf(each, { previous, entries, ...changes, identities: [] }),
      systemRandomness,
    );
    expect(blind).toMatchObject({ text: previous, outcome: "kept-not-compared" });
  }

  it("each recipient decrypts it with sops, the post-quantum one too", async () => {
    const recipients = [ann, bob, quinn].map(({ recipient }) => recipient);
    place.write(each.file, await sealed(each, { recipients }));
    for (const pair of [ann, bob, quinn]) expect(decrypted(each, [pair])).toEqual(VALUES);
    expect(() => decrypted(each, [cy])).toThrow(/FAILED/);
  });

  it("`sops set` of one value changes that value's line and what vouches for it", async () => {
    const text = await sealed(each);
    place.write(each.file, text);
    place.sops(["set", each.file, indexOf(each, "MCP_PROM_TOKEN"), '"by-sops"'], [ann]);
    const lines = ["MCP_PROM_TOKEN", ...metadata];
    const { removed, added } = lineDiff(text, place.read(each.file));
    expect(removed.filter((line) => line !== version)).toEqual(lines);
    expect(added.filter((line) => line !== version)).toEqual(lines);
    await staysAsItIs({ ...VALUES, MCP_PROM_TOKEN: "by-sops" });
  });

  it("a value changed here after `sops set`: its line and what vouches for it, and no other", async () => {
    place.write(each.file, await sealed(each));
    place.sops(["set", each.file, indexOf(each, "MCP_PROM_TOKEN"), '"by-sops"'], [ann]);
    const previous = place.read(each.file);
    const values = { ...VALUES, MCP_PROM_TOKEN: "by-sops", MCP_API_KEY: "new" };
    const text = await sealed(each, { previous, entries: entriesOf(values) }, 2026);
    const lines = ["MCP_API_KEY", ...metadata];
    expect(lineDiff(previous, text)).toEqual({ removed: lines, added: lines });
    place.write(each.file, text);
    expect(decrypted(each, [bob])).toEqual(values);
  });

  it("`sops set` of a new value and `sops unset` of an old one", async () => {
    place.write(each.file, await sealed(each));
    place.sops(["set", each.file, indexOf(each, "MCP_NATS_TOKEN"), '"n"'], [bob]);
    place.sops(["unset", each.file, indexOf(each, "MCP_API_KEY")], [bob]);
    const { MCP_API_KEY: _key, ...rest } = VALUES;
    await staysAsItIs({ ...rest, MCP_NATS_TOKEN: "n" });
  });

  it("`sops edit`", async () => {
    const text = await sealed(each);
    place.write(each.file, text);
    const editor = place.write("editor.sh", '#!/bin/sh\nsed -i "s/t2/edited/" "$1"\n');
    place.sops(["edit", each.file], [ann], { EDITOR: editor });
    const lines = ["MCP_PROM_TOKEN", ...metadata];
    expect(lineDiff(text, place.read(each.file)).removed.filter((line) => line !== version)).toEqual(lines);
    await staysAsItIs({ ...VALUES, MCP_PROM_TOKEN: "edited" });
  });

  it("`sops edit` that adds comments: they stay while nothing changes", async () => {
    place.write(each.file, await sealed(each));
    const indent = each.format === "dotenv" ? "" : "    ";
    const editor = place.write("editor.sh", `#!/bin/sh\nsed -i "s/^ *MCP_PROM/${indent}# why\\n&/" "$1"\n`);
    place.sops(["edit", each.file], [ann], { EDITOR: editor });
    expect(place.read(each.file)).toContain("#");
    await staysAsItIs(VALUES);
  });

  it("`sops edit` that changes the order of lines", async () => {
    place.write(each.file, await sealed(each));
    const editor = place.write("editor.sh", '#!/bin/sh\nsed -i "/MCP_API_KEY/{h;d};/MCP_PROM/G" "$1"\n');
    place.sops(["edit", each.file], [ann], { EDITOR: editor });
    const { entries } = await openSealed(each.file, place.read(each.file), each.format, [ann.identity]);
    expect(entries.map(({ name }) => name).indexOf("MCP_API_KEY")).toBe(2);
    await staysAsItIs(VALUES);
  });

  it("`sops rotate`", async () => {
    const text = await sealed(each);
    place.write(each.file, text);
    place.sops(["rotate", "--in-place", each.file], [ann]);
    expect(lineDiff(text, place.read(each.file)).removed).toEqual(
      expect.arrayContaining(Object.keys(VALUES)),
    );
    await staysAsItIs(VALUES);
  });

  it("`sops updatekeys` under the rules here, and it finds nothing to do behind a run of ours", async () => {
    place.write(each.file, await sealed(each));
    const recipients = [ann, bob, cy].map(({ recipient }) => recipient);
    place.write(".sops.yaml", sopsConfig(recipients));
    place.sops(["updatekeys", "--yes", each.file], [ann]);
    expect(decrypted(each, [cy])).toEqual(VALUES);
    await staysAsItIs(VALUES, { recipients });

    place.write(each.file, await sealed(each, { recipients }));
    const before = place.read(each.file);
    place.sops(["updatekeys", "--yes", each.file], [ann]);
    expect(place.read(each.file)).toBe(before);

    const added = await sealed(each, { recipients: [...recipients, quinn.recipient], previous: before });
    place.write(each.file, added);
    place.write(".sops.yaml", sopsConfig([...recipients, quinn.recipient]));
    place.sops(["updatekeys", "--yes", each.file], [bob]);
    expect(place.read(each.file)).toBe(added);
    expect(decrypted(each, [quinn])).toEqual(VALUES);
  });

  it("what `sops encrypt` makes under the rules here is one of ours", async () => {
    place.write(".sops.yaml", sopsConfig([ann.recipient, bob.recipient]));
    const plain =
      each.format === "dotenv"
        ? Object.entries(VALUES).map(([name, value]) => `${name}=${value}`)
        : [
            "apiVersion: v1",
            "kind: Secret",
            `metadata: {name: ${HEAD.name}, namespace: shop, labels: {app.kubernetes.io/name: shop-mcp}}`,
            "type: Opaque",
            "stringData:",
            ...Object.entries(VALUES).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`),
          ];
    place.write(each.file, `${plain.join("\n")}\n`);
    place.sops(["encrypt", "--in-place", each.file], []);
    await staysAsItIs(VALUES);
  });

  it("what SOPS writes again of ours is ours, byte by byte", async () => {
    const text = await sealed(each);
    place.write(each.file, text);
    place.sops(["set", each.file, indexOf(each, "MCP_PROM_TOKEN"), '"x"'], [ann]);
    place.sops(["set", each.file, indexOf(each, "MCP_PROM_TOKEN"), '"t2"'], [ann]);
    const shape = (file: string): string =>
      file
        .replace(/ENC\[[^\]]+\]/g, "ENC")
        .replace(/lastmodified(.*)\n/, "")
        .replace(/version(.*)\n/, "");
    expect(shape(place.read(each.file))).toBe(shape(text));
  });

  it("a thousand entries, both ways", async () => {
    const values = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, at) => [`MCP_N${String(at).padStart(4, "0")}_KEY`, `value-${at}`]),
    );
    place.write(each.file, await sealed(each, { entries: entriesOf(values) }));
    expect(decrypted(each, [ann])).toEqual(values);
    place.sops(["rotate", "--in-place", each.file], [ann]);
    await staysAsItIs(values);
  });

  it("no entry at all", async () => {
    place.write(each.file, await sealed(each, { entries: [] }));
    expect(decrypted(each, [ann])).toEqual({});
    place.sops(["rotate", "--in-place", each.file], [ann]);
    await staysAsItIs({});
  });

  it("sops, too, refuses a file in which somebody changed a value", async () => {
    const text = await sealed(each);
    place.write(each.file, text.replace("MCP_API_KEY", "MCP_API_TOKEN"));
    expect(() => decrypted(each, [ann])).toThrow(/Could not decrypt value|MAC mismatch/);
  });
});

describe("values that are hard to write down", () => {
  const secret = CASES[1] as Case;

  it("a Secret carries every one of them to sops, and back from it", async () => {
    place.write(secret.file, await sealed(secret, { entries: entriesOf(NASTY) }));
    expect(decrypted(secret, [ann])).toEqual(NASTY);
    place.write(".sops.yaml", sopsConfig([ann.recipient]));
    const plain = JSON.stringify({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "n", namespace: "s" },
      type: "Opaque",
      stringData: NASTY,
    });
    // Go's YAML takes some characters only when they are escaped.
    const escaped = plain.replace(
      /[\u007F-\u009F\uFEFF]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    place.write(secret.file, escaped);
    place.sops(["encrypt", "--in-place", "--input-type", "yaml", secret.file], []);
    expect(await opened(secret, place.read(secret.file))).toEqual(NASTY);
  });

  it("labels and namespaces are what sops takes them for", async () => {
    const labels = {
      v: "1.0",
      on: "yes",
      empty: "",
      "app.kubernetes.io/name": "x",
      date: "2024-01-01",
      n: "1e3",
    };
    const head = { name: "a-1", namespace: "true", labels };
    place.write(secret.file, await sealed(secret, { secret: head }));
    const text = place.sops(["decrypt", "--output-type", "json", secret.file], [ann]);
    expect(JSON.parse(text)).toMatchObject({ metadata: head });
  });

  it("the dotenv file reaches a process through `sops exec-env` unchanged", async () => {
    const dotenv = CASES[0] as Case;
    place.write(dotenv.file, await sealed(dotenv));
    const out = place.sops(["exec-env", dotenv.file, "env"], [ann]);
    for (const [name, value] of Object.entries(VALUES)) expect(out.split("\n")).toContain(`${name}=${value}`);
  });
});

describe("Debian's age", () => {
  const identityFile = (): string => place.write("identity.txt", `${ann.identity}\n`);

  it("unwraps the data key that is wrapped here", async () => {
    const key = randomBytes(32);
    place.write("key.age", await wrapDataKey(key, ann.recipient));
    const { stdout, status } = place.run("bash", [
      "-c",
      `age -d -i ${identityFile()} key.age | od -An -v -tx1`,
    ]);
    expect(status).toBe(0);
    expect(stdout.replace(/\s/g, "")).toBe(key.toString("hex"));
  });

  it("wraps a data key that is unwrapped here, with and without others' copies", async () => {
    const key = randomBytes(32);
    place.write("key.hex", key.toString("hex"));
    for (const others of ["", `-r ${bob.recipient} `]) {
      const wrap = `printf "$(sed 's/../\\\\x&/g' key.hex)" | age -a ${others}-r ${ann.recipient}`;
      const { stdout, status } = place.run("bash", ["-c", wrap]);
      expect(status).toBe(0);
      const unwrapped = await unwrapDataKey("f", [{ recipient: "x", enc: stdout }], [ann.identity]);
      expect(Buffer.from(unwrapped)).toEqual(key);
    }
  });
});

describe("S47: whatever sops encrypts is a source of values", () => {
  type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

  function flat(value: Json, path: string, into: Map<string, string>): Map<string, string> {
    if (Array.isArray(value)) value.forEach((item: Json, at) => flat(item, `${path}.${at}`, into));
    else if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value))
        flat(inner, path === "" ? key : `${path}.${key}`, into);
    else if (value !== null) into.set(path, typeof value === "number" ? floatText(value) : String(value));
    return into;
  }

  const key = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).filter((name) => name !== "sops");
  const text = fc.string({ unit: "grapheme", maxLength: 12 });
  const { tree } = fc.letrec<{ tree: Json; map: Json }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      text,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
      tie("map"),
    ),
    map: fc.dictionary(key, tie("tree"), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  }));

  const RULES = [
    "",
    "encrypted_regex: ^[a-m]",
    "unencrypted_regex: ^[a-m]",
    "encrypted_suffix: a",
    "unencrypted_suffix: a",
    "encrypted_regex: ^[a-m]\n    mac_only_encrypted: true",
  ];

  it.each(["yaml", "json"] as const)("%s, under every rule", async (format) => {
    const file = `foreign.${format}`;
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(key, tree, { minKeys: 1, maxKeys: 5, noNullPrototype: true }),
        fc.constantFrom(...RULES),
        async (data, rule) => {
          place.write(".sops.yaml", `creation_rules:\n  - age: ${ann.recipient}\n    ${rule}\n`);
          place.write(file, JSON.stringify(data));
          place.sops(["encrypt", "--in-place", file], []);
          const plain = JSON.parse(place.sops(["decrypt", "--output-type", "json", file], [ann])) as Json;
          expect(await openForeign(file, place.read(file), format, [ann.identity])).toEqual(
            flat(plain, "", new Map()),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("dotenv with comments, blanks and quotes", async () => {
    place.write(".sops.yaml", `creation_rules:\n  - age: ${ann.recipient}\n`);
    place.write("foreign.env", '# why\nA= b \nB="q"\nC=a #b\nD=x\\ny\nE=\nf_unencrypted=open\n');
    place.sops(["encrypt", "--in-place", "foreign.env"], []);
    const values = await openForeign("foreign.env", place.read("foreign.env"), "dotenv", [ann.identity]);
    const expected = { A: " b ", B: '"q"', C: "a #b", D: "x\ny", E: "", f_unencrypted: "open" };
    expect(Object.fromEntries(values)).toEqual(expected);
  });

  it("a data key that was split between groups", async () => {
    const groups = [ann, bob, cy].map(({ recipient }) => `{age: ["${recipient}"]}`).join(", ");
    place.write(".sops.yaml", `creation_rules:\n  - shamir_threshold: 2\n    key_groups: [${groups}]\n`);
    place.write("foreign.yaml", "a: {b: c}\n");
    place.sops(["encrypt", "--in-place", "foreign.yaml"], []);
    const read = async (...keys: readonly KeyPair[]): Promise<ReadonlyMap<string, string>> =>
      await openForeign(
        "f",
        place.read("foreign.yaml"),
        "yaml",
        keys.map(({ identity }) => identity),
      );
    expect(await read(cy, ann)).toEqual(new Map([["a.b", "c"]]));
    await expect(read(bob)).rejects.toMatchObject({ reason: "no-identity" });
  });
});

it("the program under test is the one that live.sh names", () => {
  expect(place.run(sopsPath(), ["--disable-version-check", "--version"]).stdout).toContain(
    liveVersion("seal"),
  );
});
