import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openForeign } from "./foreign.ts";
import type { ForeignFormat } from "./foreign.ts";
import { floatText, resolveScalar } from "./go-scalar.ts";
import { SealError } from "./seal-error.ts";

const read = (name: string): string =>
  readFileSync(new URL(`real-sops/${name}`, import.meta.url).pathname, "utf8");
const [first = "", second = "", third = ""] = read("keys.txt")
  .split("\n")
  .filter((line) => line.startsWith("AGE-SECRET-KEY-"));

const formatOf = (name: string): ForeignFormat =>
  name.endsWith(".env") ? "dotenv" : name.endsWith(".json") ? "json" : "yaml";

async function open(name: string, identities = [first], change?: (text: string) => string): Promise<unknown> {
  const text = read(name);
  const changed = change?.(text) ?? text;
  if (change !== undefined) expect(changed).not.toBe(text);
  return Object.fromEntries(await openForeign(name, changed, formatOf(name), identities));
}

const refusal = async (...args: Parameters<typeof open>): Promise<unknown> =>
  await open(...args).catch((error: unknown) => error);

const SECRETS = {
  "stringData.TOKEN": "t0",
  "stringData.nested.deep": "d1",
  PASSWORD: "p2",
};
const CLEAR = { apiVersion: "v1", kind: "Secret", "metadata.name": "demo", "metadata.generation": "3" };

/** What stands in the files, as `sops decrypt` shows it. */
const CONTENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "encrypted-regex.yaml": { ...CLEAR, ...SECRETS, other: "in the clear" },
  "unencrypted-regex.yaml": { ...CLEAR, ...SECRETS, public: "in the clear" },
  "encrypted-suffix.yaml": { token_secret: "t0", "group_secret.inner": "i1", open: "o2" },
  "encrypted-comment.yaml": { token: "t0", open: "o1", "group.inner": "i2", "group.other": "o3" },
  "unencrypted-comment.yaml": { token: "t0", open: "o1", "group.inner": "i2", "group.other": "o3" },
  "two-documents.yaml": { a: "1", b: "two", c: "three" },
  "blob.json": { data: "line one\nline two\n" },
  "plain.env": {
    PLAIN: "value",
    SPACES: " a b ",
    QUOTED: '"q"',
    HASH: "a #b",
    LINES: "one\ntwo",
    EMPTY: "",
    EQUALS: "a=b",
    lower: "l",
    X_unencrypted: "in the clear",
  },
  "nested.json": {
    z: "1",
    "10": "ten",
    "2": "two",
    "a.big": "12345678901234567",
    "a.float": "1",
    "a.exp": "1000",
    "a.t": "true",
    "a.s": 'tab\t "q" é 😀 <&>',
    "a.list.0": "x",
    "a.list.1": "5",
    "a.list.2.k": "v",
    "a.e": "",
    "__proto__.polluted": "no",
    "plain_unencrypted.0": "1",
    "plain_unencrypted.1": "2.5",
    "plain_unencrypted.2": "x",
    "plain_unencrypted.3": "false",
    "plain_unencrypted.4": "18446744073709552000",
  },
  "nested.yaml": {
    "db.host": "db.example.org",
    "db.port": "5432",
    "db.ratio": "1.5",
    "db.big": "1000000000000000000000",
    "db.tiny": "0.0000001",
    "db.negative": "-7",
    "db.hex": "31",
    "db.on": "true",
    "db.off": "false",
    "db.since": "2024-01-31T00:00:00Z",
    "db.at": "2024-01-31T12:00:00.5+02:00",
    "db.empty": "",
    "db.text": "0123",
    "db.word": "yes",
    "db.password": 'it\'s "quoted" # and more',
    "db.users.0.name": "ann",
    "db.users.0.password": "p-ann",
    "db.users.1.name": "bob",
    "db.users.1.password": "p-bob",
    "db.lines": "one\ntwo\n",
    "db.8080": "by number",
    "db.ports_unencrypted.0": "80",
    "db.ports_unencrypted.1": "443",
    "db.ports_unencrypted.2": "10",
    "db.ports_unencrypted.3": "1000",
    "db.ports_unencrypted.4": "3",
    "db.ports_unencrypted.5": "true",
    "db.ports_unencrypted.6": "2024-01-31T00:00:00Z",
    "db.ports_unencrypted.7": "007",
    "db.ports_unencrypted.9": "text",
    note_unencrypted: "in the clear",
  },
};

describe("S47: files that SOPS wrote, as a source of values", () => {
  it.each(Object.keys(CONTENTS))("%s", async (name) => {
    expect(await open(name)).toEqual(CONTENTS[name]);
  });

  it("any of the recipients opens one", async () => {
    expect(await open("nested.yaml", [second])).toEqual(CONTENTS["nested.yaml"]);
    expect(await refusal("nested.yaml", [third])).toMatchObject({ reason: "no-identity" });
    expect(await refusal("nested.yaml", [])).toMatchObject({ reason: "no-identity" });
  });

  it("a data key that was split takes keys of as many groups as it was split for", async () => {
    const contents = { key: "split", other: "5" };
    for (const identities of [
      [first, second],
      [third, first],
      [first, second, third],
    ])
      expect(await open("key-groups.yaml", identities)).toEqual(contents);
    const refused = await refusal("key-groups.yaml", [second]);
    expect(refused).toMatchObject({ reason: "no-identity" });
    expect(String(refused)).toMatch(/it takes keys of 2 groups to open it, and those given open 1$/);
  });

  it("S3: another order of lines, another way to write a number, and comments change nothing in YAML", async () => {
    const contents = await open("nested.yaml", [first], (text) =>
      text
        .replace("- 443", "- 0x1BB")
        .replace("- true", "- True")
        .replace("note_unencrypted:", "# new\nnote_unencrypted:"),
    );
    expect(contents).toEqual(CONTENTS["nested.yaml"]);
  });
});

const lineWith = (text: string, part: string): string =>
  text.split("\n").find((line) => line.includes(part)) ?? "";

describe("what is not as SOPS wrote it is refused", () => {
  it.each([
    [
      "a plain value changed",
      "nested.yaml",
      "mac-mismatch",
      (text: string) => text.replace("- 443", "- 444"),
    ],
    ["a plain value added", "plain.env", "mac-mismatch", (text: string) => `Y_unencrypted=x\n${text}`],
    ["a line removed", "plain.env", "mac-mismatch", (text: string) => text.replace(/^PLAIN=.*\n/m, "")],
    ["a value emptied", "plain.env", "mac-mismatch", (text: string) => text.replace(/^PLAIN=.*$/m, "PLAIN=")],
    [
      "a value in the clear",
      "plain.env",
      "unencrypted-value",
      (text: string) => text.replace(/^PLAIN=.*$/m, "PLAIN=x"),
    ],
    [
      "a number in the clear",
      "nested.yaml",
      "unencrypted-value",
      (text: string) => text.replace(/port: ENC.*/, "port: 1"),
    ],
    [
      "a key renamed",
      "plain.env",
      "value-not-authentic",
      (text: string) => text.replace("PLAIN=", "PLAINER="),
    ],
    ["a rule added", "plain.env", "rules", (text: string) => `${text}sops_encrypted_suffix=N\n`],
    [
      "the rule widened",
      "nested.yaml",
      "unencrypted-value",
      (text: string) => text.replace("suffix: _unencrypted", "suffix: st"),
    ],
    ["the code removed", "plain.env", "mac-missing", (text: string) => text.replace(/^sops_mac=.*\n/m, "")],
    [
      "the time changed",
      "plain.env",
      "mac-not-authentic",
      (text: string) => text.replace(/(lastmodified=\d{3})\d/, "$17"),
    ],
    [
      "a document removed",
      "two-documents.yaml",
      "mac-mismatch",
      (text: string) => text.slice(0, text.indexOf("\n---\n") + 1),
    ],
    [
      "a type changed",
      "nested.yaml",
      "mac-mismatch",
      (text: string) => text.replace(/(host: .*)type:str/, "$1type:bool"),
    ],
    ["no metadata", "plain.env", "not-sealed", (text: string) => text.replace(/^sops_.*\n/gm, "")],
    [
      "an alias",
      "nested.yaml",
      "unsupported",
      (text: string) => text.replace("- 80\n", "- &a 80\n        - *a\n"),
    ],
    ["a tag", "nested.yaml", "unsupported", (text: string) => text.replace("- 80\n", "- !!binary aGk=\n")],
    [
      "a number that is too large",
      "nested.yaml",
      "unsupported",
      (text: string) => text.replace("- 80\n", "- 9223372036854775808\n"),
    ],
    [
      "a key twice",
      "nested.yaml",
      "unsupported",
      (text: string) => text.replace("note_unencrypted:", "db: x\nnote_unencrypted:"),
    ],
    [
      "a key that is a number",
      "nested.yaml",
      "unsupported",
      (text: string) => text.replace('"8080"', "8080"),
    ],
    ["no YAML", "nested.yaml", "bad-syntax", (text: string) => text.replace("db:", 'db: "')],
    ["a list", "blob.json", "not-sealed", (text: string) => `[${text}]`],
    ["a second file", "blob.json", "bad-syntax", (text: string) => `${text}${text}`],
    [
      "other keys alone",
      "plain.env",
      "no-identity",
      (text: string) => text.replaceAll("sops_age__", "sops_pgp__"),
    ],
  ] as const)("%s in %s", async (_, name, reason, change) => {
    const refused = await refusal(name, [first], change);
    expect(refused).toBeInstanceOf(SealError);
    expect(refused).toMatchObject({ reason });
    expect(String(refused)).not.toMatch(/p-ann|db\.example|ENC\[|AGE-SECRET/);
  });

  it("an item of a list moved to another place", async () => {
    const refused = await refusal("nested.json", [first], (text) => {
      const [x, five] = [lineWith(text, "Ww=="), lineWith(text, "6A==")];
      return text
        .replace(x, "\0")
        .replace(five, () => x)
        .replace("\0", () => five);
    });
    expect(refused).toMatchObject({ reason: "mac-mismatch" });
  });

  it("under a rule by comments, what was encrypted put in the clear", async () => {
    const refused = await refusal("encrypted-comment.yaml", [first], (text) =>
      text.replace(/inner: ENC.*/, "inner: mine"),
    );
    expect(refused).toMatchObject({ reason: "mac-mismatch" });
  });

  it.each(["[", "a: {", "- ", '{"a":'].map((part) => part.repeat(500_000)))(
    "nesting without end",
    async (text) => {
      for (const format of ["yaml", "json"] as const)
        await expect(openForeign("f", text, format, [first])).rejects.toBeInstanceOf(SealError);
    },
  );

  it.each(["(?=x)", "a\\1", "x[[:alpha:]]", "(?i:x)", "x(", "\\Qx\\E"])(
    "a regular expression that is not understood (%s)",
    async (pattern) => {
      const refused = await refusal("unencrypted-regex.yaml", [first], (text) =>
        text.replace("^(?:public|port)$", () => pattern),
      );
      expect(refused).toMatchObject({ reason: "unsupported" });
    },
  );
});

describe("scalars as Go reads them", () => {
  it.each([
    ["0", "int", "0"],
    ["-0", "int", "0"],
    ["+5", "int", "5"],
    ["012", "int", "10"],
    ["0o14", "int", "12"],
    ["0b101", "int", "5"],
    ["-0x1f", "int", "-31"],
    ["1_000", "int", "1000"],
    ["9223372036854775807", "int", "9223372036854775807"],
    ["08", "float", "8"],
    ["1.", "float", "1"],
    [".5", "float", "0.5"],
    ["1e3", "float", "1000"],
    ["-1.5e-9", "float", "-0.0000000015"],
    ["99999999999999999999", "float", "100000000000000000000"],
    [".inf", "float", "+Inf"],
    ["-.INF", "float", "-Inf"],
    [".nan", "float", "NaN"],
    ["True", "bool", "True"],
    ["~", "null", ""],
    ["2024-1-2", "time", "2024-01-02T00:00:00Z"],
    ["2024-01-02 03:04:05.600", "time", "2024-01-02T03:04:05.6Z"],
    ["2024-01-02T03:04:05+01:00", "time", "2024-01-02T03:04:05+01:00"],
  ])("%s is %s %s", (text, type, value) => {
    expect(resolveScalar(text, false)).toEqual({ type, text: value });
  });

  it.each([
    "yes",
    "on",
    "tRue",
    "1:30",
    "1.2.3",
    "0x",
    "2024-02-30",
    "2024-13-01",
    "-",
    "+",
    ".",
    "1e",
    "v1",
    "=",
  ])("%s is a text", (text) => {
    expect(resolveScalar(text, false)).toBe(text);
  });

  it.each([
    [1e21, "1000000000000000000000"],
    [1.5e-7, "0.00000015"],
    [123456.789, "123456.789"],
    [-1e-7, "-0.0000001"],
    [5e-324, `0.${"0".repeat(323)}5`],
    [1.7976931348623157e308, `17976931348623157${"0".repeat(292)}`],
  ])("%d has every digit", (value, text) => {
    expect(floatText(value)).toBe(text);
  });
});
