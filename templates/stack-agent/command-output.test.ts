import { createCollector, KEPT_BYTES } from "#runtime/stack-agent/command/collector";
import type { Collector } from "#runtime/stack-agent/command/collector";
import { fillDocument } from "#runtime/stack-agent/command/document";
import { conceal, createCleaner } from "#runtime/stack-agent/command/output";
import type { AccountValue } from "#runtime/stack-agent/command/place";
import { SHORTEST } from "#runtime/stack-agent/command/secret-forms";
import { createRedactor } from "#runtime/redactor";
import { Secret } from "#runtime/settings";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

const rotate = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => {
    const start = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - start + 13) % 26) + start);
  });

/** Each makes of a secret what a program might print of it. */
const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  itself: (secret) => secret,
  capitals: (secret) => secret.toUpperCase(),
  reversed: (secret) => [...secret].toReversed().join(""),
  rotated: rotate,
  base64: (secret) => Buffer.from(secret).toString("base64"),
  "base64 inside": (secret) => Buffer.from(`ab${secret}cd`).toString("base64"),
  base64url: (secret) => Buffer.from(secret).toString("base64url"),
  "base64 of UTF-16": (secret) => Buffer.from(secret, "utf16le").toString("base64"),
  hex: (secret) => Buffer.from(secret).toString("hex"),
  "hex of UTF-16": (secret) => Buffer.from(secret, "utf16le").toString("hex"),
  percent: (secret) => encodeURIComponent(secret),
  form: (secret) => encodeURIComponent(secret).replaceAll("%20", "+"),
  json: (secret) => JSON.stringify(secret),
  spaced: (secret) => [...secret].join(" "),
  listed: (secret) => [...secret].map((character) => `'${character}'`).join(","),
  decimal: (secret) => [...Buffer.from(secret)].join(" "),
  octal: (secret) =>
    [...Buffer.from(secret)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
  "hex escapes": (secret) =>
    [...Buffer.from(secret)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
};

/** Long enough to be found, and nothing that any text would hold by chance. */
const SECRET = fc
  .string({
    unit: fc.constantFrom(..."abcdefghijkmnopqrstuvwxyzABCDEFG0123456789+/=%&;:'\"\\ !é日$*()[]{}^.|?-"),
    minLength: 8,
    maxLength: 24,
  })
  .filter((secret) => secret.trim() === secret && new Set(secret).size > 5);

/** Output in pieces of any size, as a pipe would give it. */
function collected(text: string, sizes: readonly number[]): Collector {
  const collector = createCollector(() => undefined);
  const bytes = Buffer.from(text);
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    collector.add("stdout", bytes.subarray(at, at + size));
    at += size;
  }
  return collector;
}

describe("S5: output is redacted before it is cut", () => {
  it.each(Object.entries(FORMS))("a secret as %s is not in it, in whatever pieces it came", (_name, form) => {
    fc.assert(
      fc.property(
        SECRET,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (secret, sizes) => {
          const cleaner = createCleaner(createRedactor());
          cleaner.learn(secret);
          const shown = form(secret);
          const text = cleaner.clean(collected(`before ${shown} after`, sizes).result("stdout"));
          expect(text).not.toContain(shown);
          expect(text.startsWith("before ") && text.endsWith(" after")).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("half a secret at the edge of what is kept is not shown", () => {
    const secret = "a-secret-that-is-cut-in-two";
    for (let kept = 1; kept < secret.length; kept++) {
      const cleaner = createCleaner(createRedactor());
      cleaner.learn(secret);
      const text = `${"x".repeat(KEPT_BYTES - kept)}${secret}${"y".repeat(1000)}`;
      const output = collected(text, [65_536]).result("stdout");
      expect(output.cut).toBe(true);
      expect(cleaner.clean(output)).not.toContain(secret.slice(0, 1));
    }
  });

  it("one stream that is cut takes nothing from the other", () => {
    const collector = createCollector(() => undefined);
    collector.add("stdout", Buffer.from("1\n"));
    collector.add("stderr", Buffer.alloc(KEPT_BYTES * 2, "x"));
    expect(collector.result("stdout")).toEqual({ bytes: Buffer.from("1\n"), cut: false });
    expect(collector.result("stderr").cut).toBe(true);
  });

  it("a secret that is too short to be found is said to be", () => {
    const cleaner = createCleaner(createRedactor());
    cleaner.learn("x".repeat(SHORTEST));
    expect(cleaner.knowsShort()).toBe(false);
    cleaner.learn("x".repeat(SHORTEST - 1));
    expect(cleaner.knowsShort()).toBe(true);
  });

  it("a million characters are cleaned within seconds", () => {
    const cleaner = createCleaner(createRedactor());
    for (let at = 0; at < 20; at++) cleaner.learn(`secret number ${at} with some characters more`);
    const text = "s e c r e t n u m b e r ".repeat(11_000);
    const started = performance.now();
    cleaner.clean({ bytes: Buffer.from(text), cut: false });
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe("blocks that are left out", () => {
  it("S5: all that is indented below a label goes, and nothing else", () => {
    const text =
      "Name: x\n  Environment:\n    KEY: secret\n\n    OTHER: y\n  Mounts: none\nArgs:\n  --key=x\nStatus: up\n";
    expect(conceal(text, ["Environment", "Args"])).toBe(
      "Name: x\n  Environment: (left out)\n\n  Mounts: none\nArgs: (left out)\nStatus: up\n",
    );
    expect(conceal(text, [])).toBe(text);
  });

  it("S5: a value beside the label goes too", () => {
    expect(conceal("Args: --key=x\n", ["Args"])).toBe("Args: (left out)\n");
  });
});

describe("a document for standard input", () => {
  const values: Readonly<Record<string, AccountValue>> = {
    url: { is: "text", text: 'https://x"y' },
    token: { is: "secret", secret: new Secret("t0ken") },
    unset: { is: "secret", secret: undefined },
  };
  const fill = (rule: Parameters<typeof fillDocument>[0]): unknown =>
    fillDocument(rule, (name) => values[name]);

  it("S23: values take the place of names, secrets included", () => {
    expect(fill({ server: "{url}", list: ["{token}", 1, true], text: "x{url}" })).toEqual({
      server: 'https://x"y',
      list: ["t0ken", 1, true],
      text: "x{url}",
    });
  });

  it("S23: what has no value is left out, and of choices the first complete one stays", () => {
    expect(fill({ a: "{unset}", b: "{nothing}", c: 1 })).toEqual({ c: 1 });
    expect(fill({ user: { $first: [{ token: "{unset}" }, { token: "{token}" }, { file: "x" }] } })).toEqual({
      user: { token: "t0ken" },
    });
    expect(fill({ user: { $first: [{ token: "{unset}" }] } })).toEqual({ user: {} });
  });
});
