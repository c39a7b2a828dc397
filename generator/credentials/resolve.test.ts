import { describe, expect, it } from "vitest";
import type { Credential } from "./credential.ts";
import { generatedValue } from "./generated.ts";
import { resolveCredentials } from "./resolve.ts";
import type { Sources } from "./resolve.ts";
import { watchVariables } from "./variables.ts";

const NAME = "MCP_VALKEY_PASSWORD";
const path = ["links", "mcp", "valkey"];

function credential(change: Partial<Credential> = {}): Credential {
  const source = { from: "implied", name: NAME } as const;
  return { name: NAME, doc: "", optional: false, length: 32, source, path, ...change };
}

interface World {
  readonly environment?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly existing?: Record<string, string>;
  readonly sealed?: readonly string[];
  readonly regenerate?: readonly string[];
}

async function resolved(
  wanted: Credential,
  world: World = {},
): Promise<readonly [string, string | undefined]> {
  const existing = new Map(Object.entries(world.existing ?? {}));
  const sources: Sources = {
    stack: "shop",
    variables: watchVariables(world.environment ?? {}),
    files: { valueAt: async (reference) => await Promise.resolve(world.files?.[reference]) },
    existing,
    sealed: new Set(world.sealed ?? existing.keys()),
    regenerate: new Set(world.regenerate ?? []),
    randomBytes: (count) => new Uint8Array(count).fill(7),
    report: () => expect.unreachable(),
  };
  const [resolution] = await resolveCredentials([wanted], sources);
  return [resolution?.origin ?? "", resolution?.value?.reveal()];
}

const MADE = "H".repeat(32);
const EXISTING = { [NAME]: "old" };
const STACK_FILE = { [`shop.secrets.sops.env#${NAME}`]: "filed" };

describe("where a value comes from when nothing is written", () => {
  const all: World = { environment: { [NAME]: "set" }, files: STACK_FILE, existing: EXISTING };
  it.each<[string, World, readonly [string, string | undefined]]>([
    ["the variable of its name", all, ["env", "set"]],
    ["else the stack's own file", { ...all, environment: {} }, ["file", "filed"]],
    ["else what is sealed already", { existing: EXISTING }, ["sealed", "old"]],
    ["else it is made", {}, ["generated", MADE]],
    ["but never where a sealed one stays closed", { sealed: [NAME] }, ["kept", undefined]],
    ["made anew when asked", { existing: EXISTING, regenerate: [NAME] }, ["generated", MADE]],
  ])("%s", async (_, world, expected) => {
    expect(await resolved(credential(), world)).toEqual(expected);
  });

  it("a value that only the service can make is missing, not made", async () => {
    expect(await resolved(credential({ length: null }))).toEqual(["missing", undefined]);
  });
});

describe("where a value comes from when it is written", () => {
  it.each<[string, Credential["source"], World, readonly [string, string | undefined]]>([
    ["env", { from: "env", name: "X" }, { environment: { X: "x", [NAME]: "no" } }, ["env", "x"]],
    ["env, absent", { from: "env", name: "X" }, { environment: { [NAME]: "no" } }, ["missing", undefined]],
    ["env, absent, sealed before", { from: "env", name: "X" }, { existing: EXISTING }, ["sealed", "old"]],
    ["key", { from: "key", name: "K" }, { files: { "shop.secrets.sops.env#K": "k" } }, ["file", "k"]],
    ["file", { from: "file", path: "/run/db" }, { files: { "/run/db": "f" } }, ["file", "f"]],
    ["generate", { from: "generate", length: 20 }, {}, ["generated", "H".repeat(20)]],
    ["generate, once", { from: "generate", length: 20 }, { existing: EXISTING }, ["sealed", "old"]],
    ["k8s", { from: "k8s", namespace: "n", secret: "s", key: "k" }, {}, ["cluster", undefined]],
    ["external", { from: "external", store: "s", key: "k" }, {}, ["cluster", undefined]],
  ])("%s", async (_, source, world, expected) => {
    expect(await resolved(credential({ source }), world)).toEqual(expected);
  });
});

describe("a generated value", () => {
  it("is made of letters and digits that every reader of env files leaves alone, each as likely", () => {
    const counts = new Map<string, number>();
    let next = 0;
    const everyByte = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => next++ % 256);
    for (const letter of generatedValue(240 * 10, everyByte))
      counts.set(letter, (counts.get(letter) ?? 0) + 1);
    expect([...counts.keys()].every((letter) => /[A-Za-z0-9]/.test(letter))).toBe(true);
    expect([...new Set(counts.values())]).toEqual([40]);
  });
});
