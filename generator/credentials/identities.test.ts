import { Volume, createFsFromVolume } from "memfs";
import { describe, expect, it } from "vitest";
import type { FileSystem } from "../tree/disk.ts";
import { readIdentities } from "./identities.ts";
import { repositoryOf } from "./repository.ts";
import { watchVariables } from "./variables.ts";

const KEY = (letter: string): string => `AGE-SECRET-KEY-1${letter.repeat(58)}`;

function identities(
  files: Record<string, string>,
  environment: Record<string, string> = {},
): readonly string[] {
  const fs = createFsFromVolume(Volume.fromJSON(files)) as unknown as FileSystem;
  return readIdentities({
    fs,
    variables: watchVariables(environment),
    configFolder: "/home/me/.config",
    repository: repositoryOf(fs, "/repo/stacks"),
  });
}

describe("private keys", () => {
  it("come from where sops looks for them, comments left out", () => {
    const files = {
      "/keys/ci.txt": `# created: 2026\n${KEY("B")}\n`,
      "/home/me/.config/sops/age/keys.txt": `# public key: age1\n\n  ${KEY("C")}\n${KEY("D")}\n`,
    };
    const environment = { SOPS_AGE_KEY: `${KEY("A")}\n`, SOPS_AGE_KEY_FILE: "/keys/ci.txt" };
    expect(identities(files, environment)).toEqual([KEY("A"), KEY("B"), KEY("C"), KEY("D")]);
    expect(identities({ "/x": "" })).toEqual([]);
  });

  it("S5: a key file inside the repository stops the run and is not shown", () => {
    const files = { "/repo/.git/HEAD": "ref", "/repo/keys/age.txt": KEY("A") };
    const run = (): unknown => identities(files, { SOPS_AGE_KEY_FILE: "/repo/keys/age.txt" });
    expect(run).toThrow("/repo/keys/age.txt is a private key inside the repository");
    expect(run).not.toThrow(KEY("A"));
  });

  it("a key file that is named and missing is an error, not a run without a key", () => {
    expect(() => identities({ "/x": "" }, { SOPS_AGE_KEY_FILE: "/keys/none.txt" })).toThrow(
      "SOPS_AGE_KEY_FILE names /keys/none.txt, which does not exist",
    );
  });
});

describe("variables", () => {
  it("are remembered by name, and an empty one counts as absent", () => {
    const variables = watchVariables({ A: "", B: "b" });
    expect(variables.read("A")).toBeUndefined();
    expect(variables.readKey("B")).toBe("b");
    expect([...(variables.seen() ?? [])]).toEqual([
      ["A", null],
      ["B", "b"],
    ]);
  });

  it("a run that read a credential from one is not remembered, not even as a digest", () => {
    const variables = watchVariables({ PASSWORD: "short" });
    expect(variables.read("PASSWORD")).toBe("short");
    expect(variables.seen()).toBeUndefined();
  });
});
