import { randomBytes } from "node:crypto";
import { armor, Decrypter, Encrypter } from "age-encryption";
import fc from "fast-check";
import { decryptSops } from "sops-age";
import { describe, expect, it } from "vitest";
import { entriesOf, HEAD, keyPair, lineDiff, steadyRandomness } from "../../test/harness/sealing.ts";
import { readAgeFile, toUnpadded } from "./age-file.ts";
import { parseIdentity, parseRecipient } from "./age-keys.ts";
import { unwrapDataKey, wrapDataKey } from "./age.ts";
import { openSealed } from "./open.ts";
import { seal } from "./seal.ts";

const ann = await keyPair();
const bob = await keyPair();
const quinn = await keyPair("hybrid");
const key = randomBytes(32);

const unwrap = async (enc: string, identities: readonly string[]): Promise<Uint8Array> =>
  await unwrapDataKey("f", [{ recipient: "whoever", enc }], identities);

async function byLibrary(recipients: readonly string[], content: Uint8Array = key): Promise<string> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(content));
}

describe("the data key", () => {
  it.each([
    ["X25519", ann],
    ["post-quantum", quinn],
  ])("%s: age's library opens what is wrapped here", async (_, { identity, recipient }) => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const enc = await wrapDataKey(key, recipient);
    expect(Buffer.from(await decrypter.decrypt(armor.decode(enc)))).toEqual(key);
  });

  it.each([
    ["X25519", ann],
    ["post-quantum", quinn],
  ])("%s: what age's library wraps is opened here", async (_, { identity, recipient }) => {
    expect(Buffer.from(await unwrap(await byLibrary([recipient]), [identity]))).toEqual(key);
  });

  it("is found behind copies of it for others in the same age file", async () => {
    const enc = await byLibrary([bob.recipient, ann.recipient]);
    for (const { identity } of [ann, bob]) expect(Buffer.from(await unwrap(enc, [identity]))).toEqual(key);
  });

  it("is opened by whichever private key fits", async () => {
    const enc = await byLibrary([quinn.recipient]);
    expect(Buffer.from(await unwrap(enc, [bob.identity, quinn.identity, ann.identity]))).toEqual(key);
  });

  it("is not opened by a stranger's key, and the error shows nothing of it", async () => {
    for (const stranger of [bob.identity, quinn.identity]) {
      const refused = unwrap(await byLibrary([ann.recipient]), [stranger]);
      await expect(refused).rejects.toMatchObject({ reason: "no-identity" });
      await expect(refused).rejects.toThrow(/^f: none of the private keys given opens it$/);
    }
  });

  it("of another length is refused", async () => {
    await expect(
      unwrap(await byLibrary([ann.recipient], randomBytes(16)), [ann.identity]),
    ).rejects.toMatchObject({
      reason: "no-identity",
    });
  });

  it("is not opened when any byte of the age file was changed", async () => {
    const bytes = armor.decode(await wrapDataKey(key, ann.recipient));
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      await expect(unwrap(armor.encode(changed), [ann.identity])).rejects.toMatchObject({
        reason: "no-identity",
      });
    }
  });

  it("no text makes the reader fail in any other way than by finding nothing", () => {
    const piece = fc.constantFrom(
      "age-encryption.org/v1\n",
      "-> X25519 a\n",
      "\n",
      "--- ",
      "a".repeat(64),
      "AAAA",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 8 }), (pieces) => {
        const text = armor.encode(Buffer.from(pieces.join("")));
        expect(() => readAgeFile(text)).not.toThrow();
        expect(() => readAgeFile(pieces.join(""))).not.toThrow();
      }),
    );
  });

  it("a point that gives everybody the same secret is refused", async () => {
    const enc = await wrapDataKey(key, ann.recipient);
    const zero = toUnpadded(Buffer.alloc(32));
    const text = Buffer.from(armor.decode(enc))
      .toString("latin1")
      .replace(/X25519 \S+/, `X25519 ${zero}`);
    const changed = armor.encode(Buffer.from(text, "latin1"));
    await expect(unwrap(changed, [ann.identity])).rejects.toMatchObject({ reason: "no-identity" });
  });
});

describe("keys as texts", () => {
  it("are taken whole and without a typing error", () => {
    expect(parseRecipient(ann.recipient)?.kind).toBe("x25519");
    expect(parseRecipient(quinn.recipient)?.kind).toBe("hybrid");
    expect(parseIdentity(ann.identity)?.kind).toBe("x25519");
    expect(parseIdentity(quinn.identity)?.kind).toBe("hybrid");
    for (const { recipient } of [ann, quinn]) {
      for (const at of [5, 9, 30, recipient.length - 1]) {
        const other = recipient[at] === "q" ? "p" : "q";
        expect(parseRecipient(recipient.slice(0, at) + other + recipient.slice(at + 1))).toBeUndefined();
      }
      expect(parseRecipient(recipient.slice(0, -1))).toBeUndefined();
      expect(parseRecipient(` ${recipient}`)).toBeUndefined();
    }
  });

  it.each(["", "age1", "age1yubikey1qqqq", "ssh-ed25519 AAAA", ann.identity, quinn.identity])(
    "a recipient that is none is refused without being shown",
    async (recipient) => {
      const request = {
        path: "f",
        format: "dotenv",
        entries: [],
        previous: undefined,
        identities: [],
      } as const;
      const refused = seal({ ...request, recipients: [ann.recipient, recipient] }, steadyRandomness("x"));
      await expect(refused).rejects.toMatchObject({ reason: "bad-recipient" });
      await expect(refused).rejects.toThrow(/^f: recipient 2 is no public key of age/);
      await expect(refused).rejects.not.toThrow(/AGE-SECRET/);
    },
  );

  it("a private key that is none is refused without being shown", async () => {
    for (const identity of [
      ann.identity.slice(0, -1),
      ann.identity.toLowerCase(),
      ann.recipient,
      "hunter2",
    ]) {
      const refused = unwrap(await byLibrary([ann.recipient]), [bob.identity, identity]);
      await expect(refused).rejects.toMatchObject({ reason: "bad-identity" });
      await expect(refused).rejects.toThrow(/^f: private key 2 is none of age/);
    }
  });

  it("no recipient at all, and more than 100, are refused", async () => {
    const request = {
      path: "f",
      format: "dotenv",
      entries: [],
      previous: undefined,
      identities: [],
    } as const;
    await expect(seal({ ...request, recipients: [] }, steadyRandomness("x"))).rejects.toMatchObject({
      reason: "no-recipients",
    });
    const many = Array.from({ length: 101 }, (_, at) => `age1${at}`);
    await expect(seal({ ...request, recipients: many }, steadyRandomness("x"))).rejects.toMatchObject({
      reason: "too-many-recipients",
    });
  });
});

describe("S6: several recipients of both kinds", () => {
  const values = { MCP_API_KEY: "k", MCP_PROM_TOKEN: "t" };
  const everybody = [ann, bob, quinn];

  it.each(["dotenv", "secret"] as const)("%s: each of them opens the file alone", async (format) => {
    const recipients = everybody.map(({ recipient }) => recipient);
    const request = { path: "f", format, entries: entriesOf(values), secret: HEAD, recipients } as const;
    const { text } = await seal({ ...request, previous: undefined, identities: [] }, steadyRandomness("mix"));
    for (const { identity } of everybody) {
      const opened = await openSealed("f", text, format, [identity]);
      expect(opened).toEqual({ entries: entriesOf(values), recipients: [...recipients].sort() });
    }
    const fileType = format === "dotenv" ? "env" : "yaml";
    for (const secretKey of [ann.identity, bob.identity]) {
      const second: unknown = await decryptSops(text, { secretKey, fileType });
      expect(second).toMatchObject(format === "dotenv" ? values : { stringData: values });
    }
  });

  it("a post-quantum recipient is added by the owner of an older key, and the other way round", async () => {
    for (const [first, second] of [
      [ann, quinn],
      [quinn, ann],
    ] as const) {
      const request = { path: "f", format: "dotenv", entries: entriesOf(values) } as const;
      const alone = { ...request, recipients: [first.recipient], previous: undefined, identities: [] };
      const { text: before } = await seal(alone, steadyRandomness("add"));
      const recipients = [first.recipient, second.recipient];
      const now = await seal(
        { ...request, recipients, previous: before, identities: [first.identity] },
        steadyRandomness("added"),
      );
      expect(now.outcome).toBe("recipients-added");
      expect(lineDiff(before, now.text).removed).toEqual([]);
      expect((await openSealed("f", now.text, "dotenv", [second.identity])).entries).toEqual(
        entriesOf(values),
      );
    }
  });
});
