import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { FileTree } from "../tree/file-tree.ts";
import { LeakError, refuseLeaks } from "./leaks.ts";
import { Secret } from "./secret.ts";

const VALUE = 'p+w/"d é\\n%&=';
const secret = { name: "MCP_VALKEY_PASSWORD", value: new Secret(VALUE) };

function treeWith(text: string): FileTree {
  return new Map([
    ["README.md", { kind: "rendered", from: "test", text: "nothing here" }],
    ["docs/ACCESS.md", { kind: "rendered", from: "test", text }],
  ]);
}

const bytes = Buffer.from(VALUE);
const base64 = (before: string, after: string): string =>
  Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]).toString("base64");

const FORMS: Readonly<Record<string, string>> = {
  "as it is": VALUE,
  "in JSON": JSON.stringify({ password: VALUE }),
  "in a URL": `https://u:${encodeURIComponent(VALUE)}@host/`,
  "in base64": bytes.toString("base64"),
  "in base64url": bytes.toString("base64url"),
  "in hex": bytes.toString("hex"),
  "in capital hex": bytes.toString("hex").toUpperCase(),
  "in base64 with a user in front": base64("u:", ""),
  "in base64 with one byte in front": base64("x", "tail"),
  "in base64 between other bytes": base64("user:", "@host"),
};

describe("the search for leaks", () => {
  it.each(Object.keys(FORMS))("S5: finds a value %s", (form) => {
    const tree = treeWith(`before ${FORMS[form] ?? ""} after`);
    expect(() => refuseLeaks(tree, [secret])).toThrow(LeakError);
    expect(() => refuseLeaks(tree, [secret])).toThrow(
      "docs/ACCESS.md would hold the value of MCP_VALKEY_PASSWORD",
    );
  });

  it("names the credential and never shows the value", () => {
    try {
      refuseLeaks(treeWith(VALUE), [secret]);
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain(VALUE);
    }
  });

  it.each([
    `AGE-SECRET-KEY-1${"Q".repeat(58)}`,
    `AGE-SECRET-KEY-PQ-1${"Q".repeat(58)}`,
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
  ])("finds a private key: %s", (text) => {
    expect(() => refuseLeaks(treeWith(text), [])).toThrow("docs/ACCESS.md would hold a private key");
  });

  it("is silent where nothing leaks", () => {
    const other = { name: "MCP_API_KEY", value: new Secret(randomBytes(24).toString("hex")) };
    expect(() => refuseLeaks(treeWith("-----BEGIN AGE ENCRYPTED FILE-----"), [secret, other])).not.toThrow();
  });
});

describe("a secret in memory", () => {
  it("S5: shows *** in every form that slips into a text", () => {
    const { value } = secret;
    expect(`${String(value)} ${JSON.stringify({ value })} ${inspect({ value }, { depth: 5 })}`).toBe(
      '*** {"value":"***"} { value: *** }',
    );
    expect(Object.keys(value)).toEqual([]);
    expect(value.reveal()).toBe(VALUE);
  });
});
