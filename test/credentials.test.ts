import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decryptSops } from "sops-age";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openSealed } from "../generator/seal/open.ts";
import { keyPair } from "./harness/sealing.ts";
import type { KeyPair } from "./harness/sealing.ts";
import { bootServer, ROOT, topogate, workspace } from "./harness/emitted.ts";
import type { Workspace } from "./harness/emitted.ts";

const DOTENV = "out/shop/credentials/cloud.sops.env";
const SECRET = "out/shop/k8s/secret.sops.yaml";
const CHECKSUM = "out/shop/k8s/credentials-checksum.yaml";
const EXAMPLE = readFileSync(join(ROOT, "stacks/example-key.PUBLIC.txt"), "utf8");
const EXAMPLE_RECIPIENT = /age1\w+/.exec(EXAMPLE)?.[0] ?? "";

let key: KeyPair;
let other: KeyPair;
let work: Workspace;

beforeAll(async () => {
  key = await keyPair();
  other = await keyPair();
});

interface Draw {
  readonly links?: string;
  readonly recipients?: readonly string[];
}

const LINKS = "valkey: read, cnpg: read, prometheus: read";

function drawing({ links = LINKS, recipients = [key.recipient] }: Draw = {}): string {
  return `apiVersion: topology/v1
stack: shop
components:
  valkey: {namespace: cache}
  cnpg: {namespace: db, databases: [app_db]}
  prometheus: {namespace: monitoring}
  mcp: {namespace: ai, recipients: [${recipients.join(", ")}]}
links:
  mcp: {stack_agent: read, ${links}}
`;
}

/** Without any key of the person who runs the tests. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: work.folder, ...more };
}
const withKey = (): NodeJS.ProcessEnv => ({ SOPS_AGE_KEY: key.identity });

function run(args: readonly string[], more: NodeJS.ProcessEnv = {}): ReturnType<typeof topogate> {
  return topogate(args, { cwd: work.folder, env: environment(more) });
}

function generate(more: NodeJS.ProcessEnv = {}, ...args: string[]): string {
  const ended = run(["generate", ...args], more);
  expect(ended.status, ended.stdout + ended.stderr).toBe(0);
  return ended.stdout + ended.stderr;
}

const text = (path: string): string => readFileSync(work.path(path), "utf8");
const all = (): readonly string[] => [DOTENV, SECRET, CHECKSUM].map(text);

async function opened(path = DOTENV, identity = key.identity): Promise<Readonly<Record<string, string>>> {
  const format = path === DOTENV ? "dotenv" : "secret";
  const { entries } = await openSealed(path, text(path), format, [identity]);
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
}

/** Lines that only one of two texts has, without what every change touches. */
function changedLines(before: string, after: string): { readonly gone: string[]; readonly come: string[] } {
  const usual = /^\s*(sops_)?(lastmodified|mac)[:=]/;
  const lines = (whole: string): string[] => whole.split("\n").filter((line) => !usual.test(line));
  const [old, now] = [lines(before), lines(after)];
  return {
    gone: old.filter((line) => !now.includes(line)),
    come: now.filter((line) => !old.includes(line)),
  };
}

const NAMES = ["MCP_AGENT_TOKEN", "MCP_API_KEY", "MCP_CNPG_APP_DB_PASSWORD", "MCP_VALKEY_PASSWORD"];

describe("sealed credentials", () => {
  beforeEach(() => {
    work = workspace();
    work.draw("shop", drawing());
    return () => work.remove();
  });

  it("S38: hold what the drawn links need and the server's own key, twice, and nothing else", async () => {
    generate();
    const values = await opened();
    expect(Object.keys(values)).toEqual(NAMES);
    expect(await opened(SECRET)).toEqual(values);
    for (const name of NAMES) expect(values[name], name).toMatch(/^[A-Za-z0-9]{32,44}$/);
    expect(new Set(Object.values(values)).size).toBe(NAMES.length);
    for (const path of [DOTENV, SECRET]) expect(statSync(work.path(path)).mode & 0o777).toBe(0o644);
  });

  it("S6: sops-age, a second implementation, reads the same values", async () => {
    generate();
    const values = await opened();
    const options = { secretKey: key.identity };
    expect(await decryptSops(text(DOTENV), { ...options, fileType: "env" })).toMatchObject(values);
    const secret = (await decryptSops(text(SECRET), { ...options, fileType: "yaml" })) as object;
    expect(secret).toMatchObject({
      kind: "Secret",
      metadata: { name: "shop-mcp-credentials", namespace: "ai" },
      stringData: values,
    });
  });

  it("S1: a removed link takes its keys out of both files and changes no other line", async () => {
    generate();
    const before = all();
    const values = await opened();
    work.draw("shop", drawing({ links: "valkey: read, prometheus: read" }));
    expect(generate(withKey())).toContain("credentials changed");
    for (const [index, path] of [DOTENV, SECRET].entries()) {
      const { gone, come } = changedLines(before[index] ?? "", text(path));
      expect(come, path).toEqual([]);
      expect(gone, path).toHaveLength(1);
      expect(gone[0]).toContain("MCP_CNPG_APP_DB_PASSWORD");
    }
    const { MCP_CNPG_APP_DB_PASSWORD: _, ...rest } = values;
    expect(await opened()).toEqual(rest);
    expect(text(CHECKSUM)).not.toBe(before[2]);
  });

  it("S3: a run with no change leaves the bytes alone, with a private key and without", () => {
    generate();
    const before = all();
    expect(generate(withKey())).toContain("generated 0,");
    expect(generate()).toContain("credentials kept, their values not compared");
    expect(generate({ SOPS_AGE_KEY: other.identity })).toContain("values not compared");
    expect(all()).toEqual(before);
    expect(run(["generate", "--check"]).status).toBe(0);
    expect(run(["generate", "--check"], withKey()).status).toBe(0);
  });

  it("a value of the environment replaces a made one, and only its lines change", async () => {
    generate();
    const before = all();
    generate({ ...withKey(), MCP_VALKEY_PASSWORD: "from-the-vault" });
    const { gone, come } = changedLines(before[0] ?? "", text(DOTENV));
    expect([...gone, ...come].every((line) => line.startsWith("MCP_VALKEY_PASSWORD="))).toBe(true);
    expect((await opened())["MCP_VALKEY_PASSWORD"]).toBe("from-the-vault");
    expect((await opened(SECRET))["MCP_VALKEY_PASSWORD"]).toBe("from-the-vault");
    expect(text(CHECKSUM)).not.toBe(before[2]);
  });

  it("a second recipient changes no value, no pod, and needs the private key", () => {
    generate();
    const before = all();
    work.draw("shop", drawing({ recipients: [key.recipient, other.recipient] }));
    const closed = run(["generate"]);
    expect(closed.status).toBe(1);
    expect(closed.stderr).toMatch(/^stacks\/shop\.yaml:7:\d+: error E-SEALED /m);
    expect(all()).toEqual(before);
    expect(generate(withKey())).toContain("a recipient added");
    expect(changedLines(before[0] ?? "", text(DOTENV)).gone).toEqual([]);
    expect(text(CHECKSUM)).toBe(before[2]);
    expect(generate({ SOPS_AGE_KEY: other.identity })).toContain("generated 0,");
  });

  it("a removed recipient cannot open anything any more, and its owner is named", async () => {
    work.draw("shop", drawing({ recipients: [key.recipient, other.recipient] }));
    generate();
    const before = text(DOTENV);
    const values = await opened();
    work.draw("shop", drawing());
    expect(generate(withKey())).toContain(`${other.recipient.slice(0, 20)}... can no longer open`);
    expect(await opened()).toEqual(values);
    await expect(opened(DOTENV, other.identity)).rejects.toThrow();
    const kept = text(DOTENV)
      .split("\n")
      .filter((line) => line !== "" && before.split("\n").includes(line));
    expect(kept.filter((line) => line.includes("ENC["))).toEqual([]);
  });

  it("a file that was tampered with stops the run and stays as it is", () => {
    generate();
    const altered = text(DOTENV).replace(/^MCP_VALKEY_PASSWORD=.*\n/m, "");
    writeFileSync(work.path(DOTENV), altered);
    const ended = run(["generate"], withKey());
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/E-SEALED .*out\/shop\/credentials\/cloud\.sops\.env: /);
    expect(text(DOTENV)).toBe(altered);
  });

  it("what sops edits is no hand edit, but half an edit is refused", async () => {
    generate();
    const first = { env: text(DOTENV), secret: text(SECRET) };
    generate({ ...withKey(), MCP_VALKEY_PASSWORD: "edited-by-a-person" });
    const edited = { env: text(DOTENV), secret: text(SECRET) };
    writeFileSync(work.path(SECRET), first.secret);
    const half = run(["generate"], withKey());
    expect(half.status).toBe(1);
    expect(half.stderr).toContain("differs in MCP_VALKEY_PASSWORD");
    writeFileSync(work.path(SECRET), edited.secret);
    expect(generate(withKey())).toContain("generated 0,");
    expect((await opened())["MCP_VALKEY_PASSWORD"]).toBe("edited-by-a-person");
  });

  it("without the private key, a new link is refused until every value is given", async () => {
    work.draw("shop", drawing({ links: "valkey: read" }));
    generate();
    const before = all();
    work.draw("shop", drawing());
    const closed = run(["generate"]);
    expect(closed.status).toBe(1);
    expect(closed.stderr).toContain("MCP_API_KEY");
    expect(closed.stderr).toContain("MCP_VALKEY_PASSWORD");
    expect(all()).toEqual(before);
    expect(existsSync(work.path("out/shop/server/tools/cnpg.ts"))).toBe(false);
    const given = Object.fromEntries(NAMES.map((name) => [name, `given-${name}`]));
    expect(generate(given)).toContain("credentials sealed anew");
    expect(await opened()).toEqual(given);
  });

  it("nobody to seal to is a warning, and nothing is written in plain text", () => {
    work.draw("shop", drawing({ recipients: [] }));
    expect(generate()).toMatch(/stacks\/shop\.yaml:7:\d+: warning W-NO-RECIPIENT/);
    expect(
      [DOTENV, SECRET, CHECKSUM, "out/shop/.sops.yaml"].filter((path) => existsSync(work.path(path))),
    ).toEqual([]);
    expect(run(["generate", "--strict"]).status).toBe(1);
  });

  it("the last recipient cannot be taken away while something is sealed", () => {
    generate();
    work.draw("shop", drawing({ recipients: [] }));
    const ended = run(["generate"], withKey());
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("E-NO-RECIPIENT");
    expect(existsSync(work.path(DOTENV))).toBe(true);
  });

  it("a missing value is a warning, and a failure with --strict", async () => {
    const links = LINKS.replace("valkey: read", "valkey: {credentials: {password: {env: SHOP_CACHE}}}");
    work.draw("shop", drawing({ links }));
    expect(generate()).toMatch(/shop\.yaml:9:\d+: warning W-SECRET-MISSING .*SHOP_CACHE/);
    expect(Object.keys(await opened())).toEqual([
      "MCP_AGENT_TOKEN",
      "MCP_API_KEY",
      "MCP_CNPG_APP_DB_PASSWORD",
    ]);
    expect(run(["secrets", "check"]).status).toBe(1);
    expect(run(["generate", "--strict"]).status).toBe(1);
    generate({ ...withKey(), SHOP_CACHE: "abc" });
    expect((await opened())["MCP_VALKEY_PASSWORD"]).toBe("abc");
    expect(run(["generate", "--strict"]).status).toBe(0);
  });

  it("a value that env files cannot carry is refused by name and not shown", () => {
    const ended = run(["generate"], { MCP_VALKEY_PASSWORD: 'p$w "q" #x' });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("MCP_VALKEY_PASSWORD");
    expect(ended.stderr).not.toContain('p$w "q"');
    expect(existsSync(work.path("out/shop"))).toBe(false);
  });

  it("S5: the examples' key seals nothing but the examples", () => {
    work.draw("shop", drawing({ recipients: [key.recipient, EXAMPLE_RECIPIENT] }));
    const ended = run(["generate"]);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("E-EXAMPLE-KEY");
  });

  it("values come from the stack's own SOPS file and from files outside the repository", async () => {
    generate({ MCP_VALKEY_PASSWORD: "sealed-for-shop" });
    const source = text(DOTENV);
    rmSync(work.path("out"), { recursive: true });
    writeFileSync(work.path("stacks/shop.secrets.sops.env"), source);
    const outside = work.path("outside");
    mkdirSync(outside);
    generate(withKey());
    expect((await opened())["MCP_VALKEY_PASSWORD"]).toBe("sealed-for-shop");

    mkdirSync(work.path(".git"));
    writeFileSync(work.path("plain.txt"), "in-the-repository\n");
    const links = "valkey: {access: read, credentials: {password: {file: ../plain.txt}}}";
    work.draw("shop", drawing({ links }));
    const ended = run(["generate"], withKey());
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("E-SECRET-SOURCE");
    expect(ended.stderr).not.toContain("in-the-repository");
  });

  it("P13: a Secret of the cluster is named, and nothing is sealed for it", async () => {
    const links = "valkey: {access: read, credentials: {password: {k8s: ai/cache#password}}}";
    work.draw("shop", drawing({ links }));
    generate();
    expect(Object.keys(await opened())).toEqual(["MCP_AGENT_TOKEN", "MCP_API_KEY"]);
    work.draw("shop", drawing({ links: links.replace("ai/cache", "elsewhere/cache") }));
    const ended = run(["generate"], withKey());
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("a pod reads Secrets of its own namespace only");
  });

  it("two first runs at once leave what one of them sealed", async () => {
    const { spawn } = await import("node:child_process");
    const start = (): Promise<number | null> => {
      const child = spawn(process.execPath, [join(ROOT, "dist/topogate.cjs"), "generate"], {
        cwd: work.folder,
        env: environment(),
        stdio: "ignore",
      });
      return new Promise((resolve) => child.once("exit", resolve));
    };
    for (let round = 0; round < 4; round++) {
      rmSync(work.path("out"), { recursive: true, force: true });
      expect(await Promise.all([start(), start(), start()])).toEqual([0, 0, 0]);
      expect(await opened()).toEqual(await opened(SECRET));
      expect(run(["generate", "--check"], withKey()).status).toBe(0);
    }
  }, 60_000);

  it("S5: the emitted server refuses to start without a credential, and names it", async () => {
    generate();
    await expect(bootServer(work.path("out/shop"), { MCP_CNPG_APP_DB_PASSWORD: "" })).rejects.toThrow(
      "no value for MCP_CNPG_APP_DB_PASSWORD (mcp->cnpg)",
    );
    const server = await bootServer(work.path("out/shop"), await opened());
    expect(await server.stop()).toBe(0);
  });
});

describe("topogate secrets", () => {
  beforeEach(() => {
    work = workspace();
    work.draw("shop", drawing());
    return () => work.remove();
  });

  const list = (more: NodeJS.ProcessEnv = {}): Record<string, unknown> => {
    const ended = run(["secrets", "list", "--json"], more);
    const { outputs } = JSON.parse(ended.stdout) as { outputs: Record<string, unknown>[] };
    return outputs[0] ?? {};
  };
  const states = (holdings: Record<string, unknown>): Record<string, string> =>
    Object.fromEntries(
      (holdings["credentials"] as { name: string; state: string }[]).map(({ name, state }) => [name, state]),
    );

  it("list and check say what is needed, what is there, and never a value", async () => {
    expect(states(list())).toMatchObject({
      MCP_VALKEY_PASSWORD: "not sealed",
      MCP_PROMETHEUS_TOKEN: "missing",
    });
    expect(run(["secrets", "check"]).status).toBe(1);
    generate();
    expect(states(list())).toMatchObject({ MCP_VALKEY_PASSWORD: "kept", MCP_API_KEY: "kept" });
    expect(states(list(withKey()))).toMatchObject({ MCP_VALKEY_PASSWORD: "sealed" });
    expect(run(["secrets", "check"]).status).toBe(0);
    expect(run(["secrets", "check"], withKey()).status).toBe(0);
    const shown = run(["secrets", "list"], withKey()).stdout;
    for (const value of Object.values(await opened())) expect(shown).not.toContain(value);
  });

  it("check finds what is unused, stale or absent, and what was altered", () => {
    work.draw("shop", drawing({ recipients: [key.recipient, other.recipient] }));
    generate();
    work.draw("shop", drawing({ links: "valkey: read" }));
    expect(list()).toMatchObject({
      unused: ["MCP_CNPG_APP_DB_PASSWORD"],
      stale: [other.recipient],
      absent: [],
    });
    expect(run(["secrets", "check"]).status).toBe(1);
    work.draw("shop", drawing({ recipients: [key.recipient, other.recipient, EXAMPLE_RECIPIENT] }));
    expect(list()).toMatchObject({ unused: [], stale: [], absent: [EXAMPLE_RECIPIENT] });
    work.draw("shop", drawing({ recipients: [key.recipient, other.recipient] }));
    expect(run(["secrets", "check"]).status).toBe(0);
    writeFileSync(work.path(DOTENV), text(DOTENV).replace(/^(sops_)?lastmodified=2/m, "$1lastmodified=1"));
    const altered = run(["secrets", "check"], withKey());
    expect(altered.status).toBe(1);
    expect(altered.stdout).toContain("out/shop/credentials/cloud.sops.env: ");
  });

  it("rotate takes a new data key, and new values for those that are named", async () => {
    generate();
    const before = text(DOTENV);
    const values = await opened();
    expect(run(["secrets", "rotate", "shop"], withKey()).status).toBe(0);
    expect(await opened()).toEqual(values);
    const lines = before.split("\n").filter((line) => line.includes("ENC["));
    expect(lines.filter((line) => text(DOTENV).includes(line))).toEqual([]);
    expect(run(["secrets", "rotate", "shop", "MCP_API_KEY"], withKey()).status).toBe(0);
    const after = await opened();
    expect(after["MCP_API_KEY"]).not.toBe(values["MCP_API_KEY"]);
    expect({ ...after, MCP_API_KEY: "" }).toEqual({ ...values, MCP_API_KEY: "" });
    expect(run(["secrets", "rotate", "shop", "NOT_DRAWN"], withKey()).status).toBe(2);
  });

  it("keygen makes a key that is found without saying where, once, and never in a repository", () => {
    const home = mkdtempSync(join(tmpdir(), "topogate-home-"));
    const own = { HOME: home };
    const made = run(["secrets", "keygen"], own);
    const recipient = made.stdout.trim();
    expect(recipient, made.stderr).toMatch(/^age1[a-z0-9]{58}$/);
    expect(statSync(join(home, ".config/sops/age/keys.txt")).mode & 0o777).toBe(0o600);
    expect(made.stdout + made.stderr).not.toContain("AGE-SECRET-KEY");
    work.draw("shop", drawing({ recipients: [recipient] }));
    generate(own);
    expect(generate(own)).not.toContain("not compared");
    expect(run(["secrets", "keygen"], own).status).toBe(2);
    expect(run(["secrets", "keygen", "--output", work.path("key.txt")], own).stderr).toContain(
      "inside a repository",
    );
    rmSync(home, { recursive: true });
  });

  it("rotate needs the private key", () => {
    generate();
    const before = all();
    expect(run(["secrets", "rotate", "shop"]).status).toBe(1);
    expect(all()).toEqual(before);
  });

  it("reseal takes the values from their sources, without the private key", async () => {
    generate();
    const before = text(DOTENV);
    const given = Object.fromEntries(NAMES.map((name) => [name, `given-${name}`]));
    expect(run(["secrets", "reseal"], given).status).toBe(0);
    expect(text(DOTENV)).not.toBe(before);
    expect(await opened()).toEqual(given);
  });
});

afterAll(() => expect(existsSync(work.folder)).toBe(false));
