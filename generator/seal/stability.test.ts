import { describe, expect, it } from "vitest";
import { entriesOf, HEAD, keyPairs, lineDiff, steadyRandomness } from "../../test/harness/sealing.ts";
import { openSealed } from "./open.ts";
import { seal } from "./seal.ts";
import type { Sealed, SealOutcome, SealRequest } from "./seal.ts";

const [ann, bob, cy] = await keyPairs(3);
if (ann === undefined || bob === undefined || cy === undefined) throw new Error("three pairs were asked for");

const VALUES = {
  MCP_API_KEY: "k0",
  MCP_CNPG_PASSWORD: "p1",
  MCP_CNPG_USERNAME: "u2",
  MCP_PROM_TOKEN: "t3",
  MCP_VALKEY_PASSWORD: "p4",
  MCP_VALKEY_USERNAME: "u5",
};

/** Entries, recipients and private keys of two runs, one after the other. */
type Change = Partial<Omit<SealRequest, "entries">> & {
  readonly values?: Readonly<Record<string, string | undefined>>;
};

describe.each(["dotenv", "secret"] as const)("%s", (format) => {
  const dotenv = format === "dotenv";
  const key = (name: string): string => (dotenv ? `sops_${name}` : name);

  let run = 0;
  async function sealed({ values = VALUES, ...change }: Change, time?: string): Promise<Sealed> {
    const request: SealRequest = {
      path: "out/shop/sealed",
      format,
      entries: entriesOf(values),
      secret: HEAD,
      recipients: [ann!.recipient, bob!.recipient],
      previous: undefined,
      identities: [ann!.identity],
      ...change,
    };
    return await seal(request, steadyRandomness(`run ${run++}`, time));
  }

  async function twice(change: Change): Promise<{ readonly before: string; readonly now: Sealed }> {
    const { text: before } = await sealed({});
    return { before, now: await sealed({ previous: before, ...change }, "2026-02-01T00:00:00.000Z") };
  }

  const valuesIn = async (text: string): Promise<Record<string, string>> => {
    const { entries } = await openSealed("sealed", text, format, [ann!.identity]);
    return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
  };

  it("S46: nothing changed, with a private key: the very text of before", async () => {
    const { before, now } = await twice({});
    expect(now).toEqual({ text: before, outcome: "kept", removedRecipients: [] });
  });

  it("nothing changed, without a private key: the very text of before, said to be not compared", async () => {
    const { before, now } = await twice({ identities: [] });
    expect(now).toEqual({ text: before, outcome: "kept-not-compared", removedRecipients: [] });
  });

  it("one value changed: its line, lastmodified and mac", async () => {
    const values = { ...VALUES, MCP_PROM_TOKEN: "another" };
    const { before, now } = await twice({ values });
    const lines = ["MCP_PROM_TOKEN", key("lastmodified"), key("mac")];
    expect(lineDiff(before, now.text)).toEqual({ removed: lines, added: lines });
    expect(now.outcome).toBe("changed");
    expect(await valuesIn(now.text)).toEqual(values);
  });

  it("S38: a link removed: its lines, lastmodified and mac", async () => {
    const { MCP_CNPG_PASSWORD: _password, MCP_CNPG_USERNAME: _username, ...values } = VALUES;
    const { before, now } = await twice({ values });
    const lines = [key("lastmodified"), key("mac")];
    expect(lineDiff(before, now.text)).toEqual({
      removed: ["MCP_CNPG_PASSWORD", "MCP_CNPG_USERNAME", ...lines],
      added: lines,
    });
    expect(now.outcome).toBe("changed");
    expect(await valuesIn(now.text)).toEqual(values);
  });

  it("a link drawn: its line in its place, lastmodified and mac", async () => {
    const values = { ...VALUES, MCP_NATS_TOKEN: "new" };
    const { before, now } = await twice({ values });
    const lines = [key("lastmodified"), key("mac")];
    expect(lineDiff(before, now.text)).toEqual({ removed: lines, added: ["MCP_NATS_TOKEN", ...lines] });
    const names = Object.keys(await valuesIn(now.text));
    expect(names).toEqual([...names].sort());
  });

  it("a recipient added: two new lines, and no other", async () => {
    const recipients = [ann!.recipient, bob!.recipient, cy!.recipient];
    const { before, now } = await twice({ recipients });
    const { removed, added } = lineDiff(before, now.text);
    expect(removed).toEqual([]);
    const plain = added.filter((line) => line !== "armor");
    expect(plain).toEqual(
      dotenv ? ["sops_age__list_2__map_enc", "sops_age__list_2__map_recipient"] : ["enc", "recipient"],
    );
    expect(now.outcome).toBe("recipients-added");
    const { entries } = await openSealed("sealed", now.text, format, [cy!.identity]);
    expect(entries).toEqual(entriesOf(VALUES));
  });

  it("a recipient who sorts first is added behind the others all the same", async () => {
    const { text: before } = await sealed({ recipients: [bob!.recipient], identities: [] });
    const now = await sealed({ previous: before, identities: [bob!.identity] });
    expect(lineDiff(before, now.text).removed).toEqual([]);
    expect(now.outcome).toBe("recipients-added");
  });

  it("a recipient added and a value changed: both, and nothing else", async () => {
    const values = { ...VALUES, MCP_API_KEY: "another" };
    const recipients = [ann!.recipient, bob!.recipient, cy!.recipient];
    const { before, now } = await twice({ values, recipients });
    expect(lineDiff(before, now.text).removed).toEqual(["MCP_API_KEY", key("lastmodified"), key("mac")]);
    expect(now.outcome).toBe("changed");
  });

  it("A17: a recipient removed: a new data key and every value anew, and the removed one is named", async () => {
    const { before, now } = await twice({ recipients: [ann!.recipient] });
    expect(now.outcome).toBe("resealed");
    expect(now.removedRecipients).toEqual([bob!.recipient]);
    const { removed } = lineDiff(before, now.text);
    expect(removed).toEqual(expect.arrayContaining(Object.keys(VALUES)));
    const ivs = (text: string): readonly string[] =>
      [...text.matchAll(/iv:([^,]+),/g)].map(([, iv]) => iv ?? "");
    expect(ivs(now.text).filter((iv) => ivs(before).includes(iv))).toEqual([]);
    await expect(openSealed("sealed", now.text, format, [bob!.identity])).rejects.toThrow(
      /none of the private/,
    );
    expect(await valuesIn(now.text)).toEqual(VALUES);
  });

  it("rotate: every value anew, for the same recipients", async () => {
    const { before, now } = await twice({ rotate: true });
    expect(now).toMatchObject({ outcome: "resealed", removedRecipients: [] });
    expect(lineDiff(before, now.text).removed).toEqual(expect.arrayContaining(Object.keys(VALUES)));
    expect(await valuesIn(now.text)).toEqual(VALUES);
  });

  it("a value without a source keeps what the file holds; one that nothing holds is left out", async () => {
    const values = { ...VALUES, MCP_PROM_TOKEN: undefined, MCP_S3_SECRET: undefined };
    const { before, now } = await twice({ values });
    expect(now).toMatchObject({ text: before, outcome: "kept" });
    const rotated = await sealed({ previous: before, values, rotate: true });
    expect(await valuesIn(rotated.text)).toEqual(VALUES);
  });

  it("no IV is used for two texts under one key, whatever the order of changes", async () => {
    const seen = new Map<string, string>();
    let text: string | undefined;
    for (const token of ["a", "b", "a", "c", "b", "a"]) {
      const values = { ...VALUES, MCP_PROM_TOKEN: token };
      ({ text } = await sealed({ values, previous: text }));
      for (const [, data, iv] of text.matchAll(/data:([^,]+),iv:([^,]+),/g)) {
        expect(seen.get(iv ?? "") ?? data).toBe(data);
        seen.set(iv ?? "", data ?? "");
      }
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  describe("without a private key", () => {
    it("a link removed: sealed anew from the values at hand", async () => {
      const { MCP_API_KEY: _key, ...values } = VALUES;
      const { now } = await twice({ values, identities: [] });
      expect(now.outcome).toBe("resealed");
      expect(await valuesIn(now.text)).toEqual(values);
    });

    it("a link removed while a value is only in the file: fails and names it", async () => {
      const { MCP_API_KEY: _key, ...values } = VALUES;
      const change = { values: { ...values, MCP_PROM_TOKEN: undefined }, identities: [] };
      await expect(twice(change)).rejects.toMatchObject({
        name: "SealError",
        reason: "values-missing",
        names: ["MCP_PROM_TOKEN"],
        message: expect.stringMatching(/^out\/shop\/sealed: .*MCP_PROM_TOKEN$/),
      });
    });

    it("values that are only in the file are kept while nothing that can be seen differs", async () => {
      const values = Object.fromEntries(Object.keys(VALUES).map((name) => [name, undefined]));
      const { before, now } = await twice({ values, identities: [] });
      expect(now).toMatchObject({ text: before, outcome: "kept-not-compared" });
    });

    it("other recipients: sealed anew, and a removed one is named", async () => {
      const { now } = await twice({ recipients: [ann!.recipient, cy!.recipient], identities: [] });
      expect(now).toMatchObject({ outcome: "resealed", removedRecipients: [bob!.recipient] });
      expect(await valuesIn(now.text)).toEqual(VALUES);
    });

    it.each(["reseal", "rotate"] as const)(
      "%s: sealed anew although nothing seems to differ",
      async (flag) => {
        const { before, now } = await twice({ [flag]: true, identities: [] });
        expect(now.outcome).toBe("resealed");
        expect(lineDiff(before, now.text).removed).toEqual(expect.arrayContaining(Object.keys(VALUES)));
      },
    );

    it("other rules: sealed anew when all values are at hand", async () => {
      const { text } = await sealed({});
      const rule = dotenv ? /sops_unencrypted_suffix=.*\n/ : / {4}mac_only_encrypted: true\n/;
      const previous = text.replace(rule, "");
      expect(previous).not.toBe(text);
      const now = await sealed({ previous, identities: [] });
      expect(now.outcome).toBe(dotenv ? "kept-not-compared" : "resealed");
    });
  });

  it("a file that none of the private keys opens is left alone", async () => {
    for (const flag of [{}, { rotate: true }, { reseal: true }])
      await expect(twice({ identities: [cy!.identity], ...flag })).rejects.toMatchObject({
        reason: "no-identity",
      });
  });

  it("only two outcomes leave the bytes alone", async () => {
    const alone: SealOutcome[] = [];
    const changes: readonly Change[] = [
      {},
      { identities: [] },
      { rotate: true },
      { recipients: [ann!.recipient] },
    ];
    for (const change of changes) {
      const { before, now } = await twice(change);
      if (now.text === before) alone.push(now.outcome);
    }
    expect(alone).toEqual(["kept", "kept-not-compared"]);
  });

  it("the order and the repetition of recipients, entries and lines changes nothing", async () => {
    const { text: before } = await sealed({});
    const entries = Object.fromEntries(Object.entries(VALUES).reverse());
    const recipients = [bob!.recipient, ann!.recipient, bob!.recipient];
    const now = await sealed({ previous: before, values: entries, recipients });
    expect(now).toMatchObject({ text: before, outcome: "kept" });
  });

  it("lastmodified has whole seconds", async () => {
    const { text } = await sealed({});
    expect(text).toMatch(/lastmodified[=:] ?"?2026-01-31T12:00:00Z"?\n/);
  });

  it("S3: the same values, time and random numbers give the same bytes", async () => {
    const wrap = async (): Promise<string> =>
      await Promise.resolve("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n");
    const once = async (): Promise<string> => {
      const request = {
        path: "x",
        format,
        entries: entriesOf(VALUES),
        secret: HEAD,
        recipients: [ann!.recipient],
      };
      const all = { ...request, previous: undefined, identities: [] };
      return (await seal(all, { ...steadyRandomness("one seed"), wrap })).text;
    };
    expect(await once()).toBe(await once());
  });
});

describe("the head of a Secret", () => {
  const request = {
    path: "k8s/secret.sops.yaml",
    format: "secret",
    entries: entriesOf(VALUES),
    recipients: [ann.recipient],
    identities: [],
  } as const;

  it.each([
    ["with a private key", [ann.identity]],
    ["without one", []],
  ])("another namespace and label, %s: those lines, and no other", async (_, identities) => {
    const randomness = steadyRandomness("head");
    const { text: before } = await seal({ ...request, secret: HEAD, previous: undefined }, randomness);
    const secret = { ...HEAD, namespace: "other", labels: { ...HEAD.labels, tier: "1.0" } };
    const now = await seal({ ...request, secret, previous: before, identities }, randomness);
    expect(lineDiff(before, now.text)).toEqual({ removed: ["namespace"], added: ["namespace", "tier"] });
    expect(now.outcome).toBe("changed");
    expect((await openSealed("x", now.text, "secret", [ann.identity])).entries).toEqual(entriesOf(VALUES));
  });
});
