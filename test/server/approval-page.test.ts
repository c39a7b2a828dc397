import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { html } from "#runtime/door/approval-html";
import { ask, boot, connectAs, newKey } from "./boot.ts";
import type { Booted, HttpAnswer } from "./boot.ts";
import { createWitness } from "./notes.ts";
import type { Witness } from "./notes.ts";
import { withPlay } from "./stage-play.ts";

const KEYS = { agent: newKey(), ada: newKey(), audit: newKey() };
const row = (id: keyof typeof KEYS, role: string, more: object = {}): object => ({
  id,
  sha256: createHash("sha256").update(KEYS[id]).digest("hex"),
  role,
  ...more,
});
const HOSTILE = '<script>alert(1)</script>"\u202e';

describe("the approvals page", () => {
  let folder: string;
  let server: Booted;
  let witness: Witness;
  const writeKeys = (...more: readonly object[]): void =>
    writeFileSync(join(folder, "keys.json"), JSON.stringify([row("agent", "operator"), ...more]));
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "topogate-page-"));
    writeKeys(row("ada", "admin", { human_id: "ada", team_id: "sre" }), row("audit", "auditor"));
    witness = createWitness();
    const environment = {
      MCP_PLAY_WRITE_ACCESS: "true",
      MCP_APPROVALS_PORT: "0",
      MCP_KEYS_FILE: join(folder, "keys.json"),
    };
    server = await boot("sdk", environment, withPlay(witness));
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const page = async (
    method: string,
    path: string,
    headers: OutgoingHttpHeaders = {},
    form?: Readonly<Record<string, string>>,
  ): Promise<HttpAnswer> =>
    await ask(server.approvalsPort, {
      method,
      path,
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
    });
  const signIn = async (key: string): Promise<HttpAnswer> => await page("POST", "/login", {}, { key });
  const cookieOf = ({ headers }: HttpAnswer): OutgoingHttpHeaders => ({
    cookie: headers["set-cookie"]?.[0]?.split(";")[0] ?? "",
  });
  const hidden = (text: string, name: string): string =>
    new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1] ?? "";
  const propose = async (act: string): Promise<void> => {
    await connectAs(server.port, KEYS.agent).call("play_run", { act, dry_run: false });
  };

  it("shows nothing to anybody, and lets in only an admin", async () => {
    await propose("secret act");
    const first = await page("GET", "/");
    expect(first.text).toContain('type="password"');
    expect(first.text).not.toContain("secret act");
    for (const key of [KEYS.agent, KEYS.audit, newKey(), server.key, ""])
      expect((await signIn(key)).status).toBe(401);
    expect((await server.newRows()).at(-1)).toMatchObject({ decision: "deny", reason: "unauthenticated" });
    const signedIn = await signIn(KEYS.ada);
    expect(signedIn.status).toBe(303);
    expect(signedIn.headers["set-cookie"]?.[0]).toMatch(/; HttpOnly; SameSite=Strict; Path=\/; Max-Age=900$/);
    const list = await page("GET", "/", cookieOf(signedIn));
    expect(list.text).toContain("secret act");
    expect(JSON.stringify(server.audit())).not.toContain(KEYS.ada);
  });

  it("holds no script, loads nothing from elsewhere, and shows hostile text as text", async () => {
    await propose(HOSTILE);
    const { text, headers } = await page("GET", "/", cookieOf(await signIn(KEYS.ada)));
    expect(text).not.toMatch(/<script|javascript:|https?:\/\/|\u202e/);
    expect(text).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self'; frame-ancestors 'none'/,
    );
    expect(headers["cache-control"]).toBe("no-store");
    const style = /<style>([^]*)<\/style>/.exec(text)?.[1] ?? "";
    expect(headers["content-security-policy"]).toContain(createHash("sha256").update(style).digest("base64"));
    expect(html("a\u0000b\u200b")).toBe("a\\u{0}b\\u{200b}");
  });

  it("approves, executes once and shows how it ended; signing out ends it", async () => {
    await propose("one");
    const cookie = cookieOf(await signIn(KEYS.ada));
    const list = (await page("GET", "/", cookie)).text;
    const form = {
      token: hidden(list, "token"),
      proposal_id: hidden(list, "proposal_id"),
      argsSha: hidden(list, "argsSha"),
    };
    expect((await page("POST", "/decide", cookie, { ...form, action: "execute" })).text).toContain(
      "Not done: not_approved",
    );
    expect((await page("POST", "/decide", cookie, { ...form, action: "approve" })).status).toBe(303);
    expect((await page("GET", "/", cookie)).text).toContain("approved");
    const wrong = { ...form, argsSha: "0".repeat(64), action: "execute" };
    expect((await page("POST", "/decide", cookie, wrong)).text).toContain("Not done: args_sha_mismatch");
    expect((await page("POST", "/decide", cookie, { ...form, action: "execute" })).status).toBe(303);
    expect((await page("GET", "/", cookie)).text).toContain("executed");
    expect(witness.ran).toEqual(["play one"]);
    expect((await page("POST", "/logout", cookie, { token: form.token })).status).toBe(303);
    expect((await page("GET", "/", cookie)).text).toContain('type="password"');
  });

  it("decides nothing for another page, and nothing for a key that is gone", async () => {
    await propose("one");
    const cookie = cookieOf(await signIn(KEYS.ada));
    const list = (await page("GET", "/", cookie)).text;
    const form = {
      token: hidden(list, "token"),
      proposal_id: hidden(list, "proposal_id"),
      action: "approve",
    };
    expect((await page("POST", "/decide", cookie, { ...form, token: "guessed" })).status).toBe(401);
    expect((await page("POST", "/decide", {}, form)).status).toBe(401);
    expect((await page("POST", "/decide", { ...cookie, origin: "https://evil.example" }, form)).status).toBe(
      403,
    );
    expect((await page("GET", "/", { ...cookie, host: "evil.example" })).status).toBe(403);
    expect((await page("GET", "/mcp", cookie)).status).toBe(404);
    writeKeys();
    expect((await page("POST", "/decide", cookie, form)).status).toBe(401);
    expect(witness.ran).toEqual([]);
  });
});
