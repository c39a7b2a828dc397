import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entriesOf, HEAD, keyPair, steadyRandomness } from "../../test/harness/sealing.ts";
import { openSealed, readSealedNames } from "./open.ts";
import { seal, SealError } from "./seal.ts";
import type { SealedFormat } from "./seal.ts";
import type { SealReason } from "./seal-error.ts";

const ann = await keyPair();
const VALUES = {
  MCP_API_KEY: "value-of-the-key-0",
  MCP_CNPG_PASSWORD: "value-of-cnpg-1",
  MCP_PROM_TOKEN: "value-of-prom-22",
};

async function sealed(format: SealedFormat): Promise<string> {
  const request = {
    path: "f",
    format,
    entries: entriesOf(VALUES),
    secret: HEAD,
    recipients: [ann.recipient],
    previous: undefined,
    identities: [],
  };
  return (await seal(request, steadyRandomness("tampering"))).text;
}

const FILES = { dotenv: await sealed("dotenv"), secret: await sealed("secret") } as const;

function lineOf(text: string, name: string): string {
  const line = text.split("\n").find((each) => each.trimStart().startsWith(name));
  if (line === undefined) throw new Error(`no line is about ${name}`);
  return line;
}

const sealedPart = (line: string): string => line.slice(line.indexOf("ENC["));

/** Swaps what two lines hold, which both stay ciphertext of this very file. */
function swapValues(text: string, one: string, other: string): string {
  const [a, b] = [lineOf(text, one), lineOf(text, other)];
  return text
    .replace(a, () => a.replace(sealedPart(a), () => sealedPart(b)))
    .replace(b, () => b.replace(sealedPart(b), () => sealedPart(a)));
}

function swapLines(text: string, one: string, other: string): string {
  const [a, b] = [lineOf(text, one), lineOf(text, other)];
  return text
    .replace(a, "\0")
    .replace(b, () => a)
    .replace("\0", () => b);
}

interface Tampering {
  readonly what: string;
  readonly reason: SealReason;
  readonly message: RegExp;
  /** `sign` stands between a name and its value in the format. */
  readonly change: (text: string, sign: string, mac: string) => string;
}

const TAMPERINGS: readonly Tampering[] = [
  {
    what: "two ciphertexts swapped",
    reason: "value-moved",
    message: /^f: MCP_API_KEY holds what was sealed as MCP_PROM_TOKEN$/,
    change: (text) => swapValues(text, "MCP_API_KEY", "MCP_PROM_TOKEN"),
  },
  {
    what: "a key renamed",
    reason: "value-not-authentic",
    message: /^f: MCP_API_TOKEN was not sealed under this name/,
    change: (text) => text.replace("MCP_API_KEY", "MCP_API_TOKEN"),
  },
  {
    what: "a flag flipped beside the encrypted values",
    reason: "unknown-key",
    message: /^f: entry 4 ends in _unencrypted/,
    change: (text, sign) => {
      const line = lineOf(text, "MCP_PROM_TOKEN");
      const indent = line.slice(0, line.indexOf("MCP"));
      return text.replace(line, () => `${line}\n${indent}MCP_CNPG_WRITE_ACCESS_unencrypted${sign}true`);
    },
  },
  {
    what: "a line deleted",
    reason: "mac-mismatch",
    message: /^f: entries were added or removed since it was sealed/,
    change: (text) => text.replace(`${lineOf(text, "MCP_CNPG_PASSWORD")}\n`, ""),
  },
  {
    what: "lines in another order",
    reason: "order",
    message: /^f: its entries stand in another order/,
    change: (text) => swapLines(text, "MCP_API_KEY", "MCP_CNPG_PASSWORD"),
  },
  {
    what: "the code deleted",
    reason: "mac-missing",
    message: /^f: it has no message authentication code/,
    change: (text, _, mac) => text.replace(`${lineOf(text, mac)}\n`, ""),
  },
  {
    what: "the code emptied",
    reason: "mac-empty",
    message: /^f: its message authentication code \(mac\) is empty$/,
    change: (text, _, mac) => text.replace(sealedPart(lineOf(text, mac)), ""),
  },
  {
    what: "a plain value put in",
    reason: "unencrypted-value",
    message: /^f: MCP_NATS_TOKEN stands there unencrypted$/,
    change: (text, sign) => {
      const line = lineOf(text, "MCP_PROM_TOKEN");
      const indent = line.slice(0, line.indexOf("MCP"));
      return text.replace(line, () => `${indent}MCP_NATS_TOKEN${sign}mine\n${line}`);
    },
  },
  {
    what: "a secret emptied",
    reason: "empty-value",
    message: /^f: MCP_PROM_TOKEN is empty: a sealed value never is$/,
    change: (text) => text.replace(sealedPart(lineOf(text, "MCP_PROM_TOKEN")), ""),
  },
  {
    what: "lastmodified changed",
    reason: "mac-not-authentic",
    message: /^f: its lastmodified or its mac was changed/,
    change: (text) => text.replace("2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"),
  },
  {
    what: "the rule of what is encrypted narrowed",
    reason: "rules",
    message: /^f: it says that other values are encrypted than/,
    change: (text) =>
      text.replace("=_unencrypted\n", "=_TOKEN\n").replace("^(data|stringData)$", "^nothing$"),
  },
];

describe.each(["dotenv", "secret"] as const)("%s", (format) => {
  const text = FILES[format];
  const dotenv = format === "dotenv";
  const change = (tampering: Tampering): string =>
    tampering.change(text, dotenv ? "=" : ": ", dotenv ? "sops_mac=" : "mac:");

  it("the file as it was sealed opens", async () => {
    expect((await openSealed("f", text, format, [ann.identity])).entries).toEqual(entriesOf(VALUES));
  });

  it.each(TAMPERINGS)("$what: refused on opening, with a message of its own", async (tampering) => {
    const changed = change(tampering);
    expect(changed).not.toBe(text);
    const opening = openSealed("f", changed, format, [ann.identity]);
    await expect(opening).rejects.toMatchObject({ reason: tampering.reason });
    await expect(opening).rejects.toThrow(tampering.message);
  });

  it.each(TAMPERINGS)("$what: not healed by sealing over it", async (tampering) => {
    const request = {
      path: "f",
      format,
      entries: entriesOf({ ...VALUES, MCP_API_KEY: "a new value".replaceAll(" ", "-") }),
      secret: HEAD,
      recipients: [ann.recipient],
      previous: change(tampering),
      identities: [ann.identity],
    };
    for (const flag of [{}, { rotate: true }, { reseal: true }])
      await expect(seal({ ...request, ...flag }, steadyRandomness("over"))).rejects.toBeInstanceOf(SealError);
  });

  it("no two kinds of tampering share a message", async () => {
    const messages = await Promise.all(
      TAMPERINGS.map(async (tampering) => {
        const refused: unknown = await openSealed("f", change(tampering), format, [ann.identity]).catch(
          (error: unknown) => error,
        );
        return refused instanceof SealError ? refused.message : "";
      }),
    );
    expect(new Set(messages).size).toBe(TAMPERINGS.length);
    for (const message of messages) {
      for (const value of Object.values(VALUES)) expect(message).not.toContain(value);
      expect(message).not.toMatch(/ENC\[|[A-Za-z0-9+/]{24}/);
    }
  });
});

describe("values that the cipher would take", () => {
  const openChanged = async (change: (line: string) => string): Promise<unknown> => {
    const line = lineOf(FILES.dotenv, "MCP_API_KEY");
    const text = FILES.dotenv.replace(line, () => change(line));
    expect(text).not.toBe(FILES.dotenv);
    return await openSealed("f", text, "dotenv", [ann.identity]).catch((error: unknown) => error);
  };

  it.each([4, 8, 12, 15])("a tag of %i bytes is refused, which Node alone would take", async (length) => {
    const refused = await openChanged((line) =>
      line.replace(/tag:([^,]+)/, (_, tag: string) => {
        const bytes = Buffer.from(tag, "base64").subarray(0, length);
        return `tag:${bytes.toString("base64")}`;
      }),
    );
    expect(refused).toMatchObject({ reason: "bad-ciphertext", names: ["MCP_API_KEY"] });
  });

  it.each([
    ["something behind the bracket", (line: string) => `${line}x`],
    ["base64 with blanks", (line: string) => line.replace("data:", "data: ")],
    ["base64 with bits that nothing decodes", (line: string) => line.replace(/(tag:.{21})./, "$1B")],
    ["base64 of the other alphabet", (line: string) => line.replace("data:", "data:_")],
    ["no data", (line: string) => line.replace(/data:[^,]+/, "data:")],
  ])("%s is refused", async (_, change) => {
    expect(await openChanged(change)).toMatchObject({ reason: "bad-ciphertext" });
  });

  it.each(["int", "bytes", "comment"])("a text that calls itself %s is refused", async (type) => {
    expect(await openChanged((line) => line.replace("type:str", `type:${type}`))).toMatchObject({
      reason: "bad-type",
    });
  });

  it("one changed bit anywhere in a value is refused", async () => {
    const line = lineOf(FILES.dotenv, "MCP_API_KEY");
    for (const part of ["data", "iv", "tag"]) {
      const refused = await openChanged(() =>
        line.replace(new RegExp(`${part}:([^,]+)`), (_, base64: string) => {
          const bytes = Buffer.from(base64, "base64");
          bytes[bytes.length - 1]! ^= 1;
          return `${part}:${bytes.toString("base64")}`;
        }),
      );
      expect(refused).toMatchObject({ reason: "value-not-authentic" });
    }
  });
});

describe("files that were made to do harm", () => {
  const open = async (text: string, format: SealedFormat = "dotenv"): Promise<unknown> =>
    await openSealed("f", text, format, [ann.identity]).catch((error: unknown) => error);

  it.each(["__proto__", "constructor", "toString"])(
    "%s as a name is refused and changes no object",
    async (name) => {
      expect(await open(`${name}=ENC[x]\n${FILES.dotenv}`)).toMatchObject({ reason: "unknown-key" });
      const yaml = FILES.secret.replace("stringData:\n", `stringData:\n    ${name}: ENC[x]\n`);
      expect(await open(yaml, "secret")).toMatchObject({ reason: "unknown-key" });
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    },
  );

  it.each([
    "sops___proto____map_polluted=yes",
    "sops_age__list_0__map___proto____map_polluted=yes",
    "sops_constructor__map_prototype__map_polluted=yes",
  ])("%s in the metadata changes no object", async (line) => {
    await open(`${FILES.dotenv}${line}\n`);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("more than 100 recipients are refused", async () => {
    const lines = Array.from(
      { length: 101 },
      (_, at) => `sops_age__list_${at + 1}__map_enc=x\nsops_age__list_${at + 1}__map_recipient=y`,
    );
    expect(await open(`${FILES.dotenv}${lines.join("\n")}\n`)).toMatchObject({
      reason: "too-many-recipients",
    });
  });

  it("more than 5 MiB are refused", async () => {
    expect(await open(`#${"x".repeat(5 * 1024 * 1024)}\n${FILES.dotenv}`)).toMatchObject({
      reason: "too-large",
    });
  });

  it("a name or a metadata key that is written twice is refused", async () => {
    expect(await open(FILES.dotenv.replace(/^.*\n/, "$&$&"))).toMatchObject({ reason: "duplicate-name" });
    const mac = lineOf(FILES.dotenv, "sops_mac=");
    expect(await open(`${FILES.dotenv}${mac}\n`)).toMatchObject({ reason: "bad-metadata" });
    const yaml = lineOf(FILES.secret, "MCP_API_KEY");
    expect(
      await open(
        FILES.secret.replace(yaml, () => `${yaml}\n${yaml}`),
        "secret",
      ),
    ).toMatchObject({
      reason: "bad-syntax",
    });
  });

  it.each([
    ["another kind of object", (text: string) => text.replace("kind: Secret", "kind: ConfigMap")],
    [
      "a plain data beside stringData",
      (text: string) => text.replace("type: Opaque", "type: Opaque\ndata:\n    X: eA=="),
    ],
    [
      "an annotation",
      (text: string) => text.replace("metadata:", "metadata:\n    annotations:\n        a: b"),
    ],
    ["a finalizer", (text: string) => text.replace("type: Opaque", "type: Opaque\nimmutable: true")],
    ["a second document", (text: string) => `${text}---\nkind: Pod\n`],
    ["an anchor", (text: string) => text.replace("name: shop", "name: &a shop")],
    ["a tag", (text: string) => text.replace("name: shop", "name: !!str shop")],
    [
      "a list of values",
      (text: string) => text.replace("stringData:\n", "stringData:\n    X:\n        - a\n"),
    ],
  ])("a Secret with %s is refused", async (_, change) => {
    const changed = change(FILES.secret);
    expect(changed).not.toBe(FILES.secret);
    expect(await open(changed, "secret")).toBeInstanceOf(SealError);
  });

  it.each([
    ["not sealed", "MCP_API_KEY=plain-and-open\n", "not-sealed"],
    ["empty", "", "not-sealed"],
    ["no dotenv at all", "plain-and-open\n", "bad-syntax"],
  ])("a file that is %s is refused without showing it", async (_, text, reason) => {
    const refused = await open(text);
    expect(refused).toMatchObject({ reason });
    expect(String(refused)).not.toContain("plain-and-open");
  });

  it("a file that is sealed to other kinds of key as well is refused: they could read what is new", async () => {
    const pgp =
      "sops_pgp__list_0__map_fp=AA\nsops_pgp__list_0__map_enc=x\nsops_pgp__list_0__map_created_at=y\n";
    expect(await open(FILES.dotenv + pgp)).toMatchObject({ reason: "other-keys" });
  });
});

describe("whatever somebody does to a file", () => {
  const lines = fc.nat({ max: 40 });
  const edit = fc.oneof(
    lines.map((line) => (text: string[]) => text.splice(line, 1)),
    fc.tuple(lines, lines).map(
      ([from, to]) =>
        (text: string[]) =>
          text.splice(to, 0, text[from] ?? ""),
    ),
    fc.tuple(lines, lines).map(([one, other]) => (text: string[]) => {
      [text[one], text[other]] = [text[other] ?? "", text[one] ?? ""];
    }),
    fc
      .tuple(lines, fc.nat({ max: 200 }), fc.string({ unit: "binary", maxLength: 3 }))
      .map(([line, column, put]) => (text: string[]) => {
        const old = text[line] ?? "";
        text[line] = old.slice(0, column) + put + old.slice(column + 1);
      }),
  );

  it.each(["dotenv", "secret"] as const)(
    "%s: the values that were sealed, or a refusal without any",
    async (format) => {
      const known = [...Object.values(VALUES), ann.identity];
      let refusals = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
          const text = FILES[format].split("\n");
          for (const change of edits) change(text);
          try {
            const { entries } = await openSealed("f", text.join("\n"), format, [ann.identity]);
            expect(entries).toEqual(entriesOf(VALUES));
          } catch (error) {
            if (!(error instanceof SealError)) throw error;
            refusals++;
            for (const value of known) expect(error.message).not.toContain(value);
            expect(error.message).not.toMatch(/ENC\[|[A-Za-z0-9+/]{24}/);
          }
        }),
        { numRuns: 1_500 },
      );
      expect(refusals).toBeGreaterThan(500);
    },
  );
});

describe("without a private key", () => {
  it.each(["dotenv", "secret"] as const)("%s: names, recipients and ciphertexts can be read", (format) => {
    const { names, recipients, entries } = readSealedNames("f", FILES[format], format);
    expect(names).toEqual(Object.keys(VALUES));
    expect(recipients).toEqual([ann.recipient]);
    expect(entries.map(({ name }) => name)).toEqual(names);
    for (const { name, sealed } of entries) expect(sealed).toBe(sealedPart(lineOf(FILES[format], name)));
  });

  it("what can be seen to be wrong is refused", () => {
    const plain = FILES.dotenv.replace(/^MCP_API_KEY=.*$/m, "MCP_API_KEY=in-the-clear");
    expect(() => readSealedNames("f", plain, "dotenv")).toThrow(/^f: MCP_API_KEY stands there unencrypted$/);
    const noCode = FILES.dotenv.replace(/^sops_mac=.*\n/m, "");
    expect(() => readSealedNames("f", noCode, "dotenv")).toThrow(/no message authentication code/);
  });
});
