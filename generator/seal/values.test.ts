import fc from "fast-check";
import { decryptSops } from "sops-age";
import { describe, expect, it } from "vitest";
import { DOTENV_READERS } from "../../test/harness/dotenv-readers.ts";
import { HEAD, keyPair, steadyRandomness } from "../../test/harness/sealing.ts";
import { openSealed } from "./open.ts";
import { seal, SealError } from "./seal.ts";
import type { SealedFormat } from "./seal.ts";

const ann = await keyPair();
const NAME = "MCP_API_KEY";

async function sealed(value: string, format: SealedFormat): Promise<string | SealError> {
  const request = {
    path: "f",
    format,
    entries: [{ name: NAME, value }],
    secret: HEAD,
    recipients: [ann.recipient],
    previous: undefined,
    identities: [],
  };
  return await seal(request, steadyRandomness("values")).then(
    ({ text }) => text,
    (error: unknown) => {
      if (error instanceof SealError) return error;
      throw error;
    },
  );
}

/** What `sops decrypt` prints for one value: its own dialect, and the line that all others then read. */
const decryptedLine = (value: string): string => `${NAME}=${value.replaceAll("\n", "\\n")}`;

const NASTY = [
  ..."\"'`#$\\ \t\r\n=!*&|>%@{}[]:,;?^~()<-",
  "\\n",
  "${HOME}",
  "$(id)",
  " #",
  "é",
  "漢",
  "😀",
  "\u0085",
  "\u2028",
  "\uFEFF",
  "\u007F",
  "null",
  "true",
  "1e3",
  "0x1F",
  "2024-01-01",
  "ENC[",
  "sops_",
  "---",
];
const nastyValue = fc.oneof(
  fc
    .array(fc.constantFrom(...NASTY, ..."aZ9_./"), { minLength: 1, maxLength: 12 })
    .map((parts) => parts.join("")),
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
);

describe("S47: values in a dotenv file", () => {
  it("survive every reader unchanged, or are refused by name", async () => {
    let survived = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(nastyValue, async (value) => {
        const result = await sealed(value, "dotenv");
        if (result instanceof SealError) {
          refused++;
          expect(result.names).toEqual([NAME]);
          if (value.length > 5) expect(result.message).not.toContain(value);
          return;
        }
        survived++;
        const { entries } = await openSealed("f", result, "dotenv", [ann.identity]);
        expect(entries).toEqual([{ name: NAME, value }]);
        for (const [reader, read] of Object.entries(DOTENV_READERS))
          expect([reader, read(decryptedLine(value), NAME)]).toEqual([reader, value]);
      }),
      { numRuns: 1_500 },
    );
    expect(survived).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(100);
  });

  it("the readers really differ: each refused character is spoilt by at least one, or is not ASCII", async () => {
    const spoilt = (value: string): boolean =>
      Object.values(DOTENV_READERS).some((read) => read(decryptedLine(value), NAME) !== value);
    for (const value of ['"q"', "'q'", "`q`", "a #b", "#a", "$HOME", " a", "a ", "a\\nb", "a\nb", "a\rb"]) {
      expect([value, spoilt(value)]).toEqual([value, true]);
      expect(await sealed(value, "dotenv")).toMatchObject({ reason: "unsafe-value" });
    }
  });

  it.each(["a=b", "https://u:p@h:1/x?y=1&z=2", "{a,b}", "[1]", "a|b;c<d>e", "*!~^()%+", "k-0_1.2"])(
    "%s is fine",
    async (value) => {
      expect(await sealed(value, "dotenv")).toBeTypeOf("string");
      for (const read of Object.values(DOTENV_READERS)) expect(read(decryptedLine(value), NAME)).toBe(value);
    },
  );

  it("the error names the key and shows both ways out", async () => {
    expect(await sealed("two words", "dotenv")).toMatchObject({
      message: expect.stringMatching(/^f: the value of MCP_API_KEY .*Kubernetes Secret.*MCP_API_KEY_B64$/),
    });
  });
});

describe("values in a Secret", () => {
  it("any text survives, and sops-age reads the same", async () => {
    await fc.assert(
      fc.asyncProperty(nastyValue, async (value) => {
        const result = await sealed(value, "secret");
        if (result instanceof SealError) {
          expect(value.isWellFormed() && !value.includes("\0")).toBe(false);
          return;
        }
        const { entries } = await openSealed("f", result, "secret", [ann.identity]);
        expect(entries).toEqual([{ name: NAME, value }]);
        const second: unknown = await decryptSops(result, { secretKey: ann.identity, fileType: "yaml" });
        // sops-age drops a byte order mark at the start of a value; SOPS itself does not.
        expect(second).toMatchObject({ stringData: { [NAME]: value.replace(/^\uFEFF/, "") } });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["half a surrogate pair", "a\uD800b"],
    ["a zero byte", "a\0b"],
  ])("%s is refused by name", async (_, value) => {
    for (const format of ["dotenv", "secret"] as const)
      expect(await sealed(value, format)).toMatchObject({ reason: "unsafe-value", names: [NAME] });
  });
});

describe("names", () => {
  it.each(["mcp_key", "1A", "A-B", "A B", "", "SOPS_AGE", "sops_mac", "A=B", "A\nB", "É", "__proto__"])(
    "%j is refused",
    async (name) => {
      const request = {
        path: "f",
        format: "dotenv",
        entries: [{ name, value: "x" }],
        recipients: [ann.recipient],
        previous: undefined,
        identities: [],
      } as const;
      await expect(seal(request, steadyRandomness("names"))).rejects.toMatchObject({ reason: "bad-name" });
    },
  );

  it("an empty value and a name given twice are refused by name", async () => {
    expect(await sealed("", "secret")).toMatchObject({ reason: "empty-value", names: [NAME] });
    const entry = { name: NAME, value: "x" };
    const request = {
      path: "f",
      format: "dotenv",
      recipients: [ann.recipient],
      previous: undefined,
    } as const;
    const twice = seal({ ...request, entries: [entry, entry], identities: [] }, steadyRandomness("names"));
    await expect(twice).rejects.toMatchObject({ reason: "duplicate-name", names: [NAME] });
  });

  it("words that YAML takes for truth values stay names", async () => {
    const entries = ["NO", "ON", "Y", "NULL", "_"].map((name) => ({ name, value: "x" })).reverse();
    const request = {
      path: "f",
      format: "secret",
      entries,
      secret: HEAD,
      recipients: [ann.recipient],
    } as const;
    const { text } = await seal(
      { ...request, previous: undefined, identities: [] },
      steadyRandomness("words"),
    );
    const { entries: opened } = await openSealed("f", text, "secret", [ann.identity]);
    expect(opened.map(({ name }) => name)).toEqual(["NO", "NULL", "ON", "Y", "_"]);
  });
});
