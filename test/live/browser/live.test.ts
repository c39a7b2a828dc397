/** The approvals page as a person sees it: in Chromium, through its own WebDriver. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { boot, connectAs, newKey } from "../../server/boot.ts";
import type { Booted } from "../../server/boot.ts";
import { createWitness } from "../../server/notes.ts";
import { withPlay } from "../../server/stage-play.ts";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
const KEYS = { agent: newKey(), ada: newKey() };
const HOSTILE = "<img src=x onerror=document.title=1>";

interface Browser {
  open(url: string): Promise<void>;
  type(selector: string, text: string): Promise<void>;
  click(selector: string): Promise<void>;
  text(selector: string): Promise<string>;
  count(selector: string): Promise<number>;
  title(): Promise<string>;
  /** What the browser complains about: blocked content, scripts, missing files. */
  complaints(): Promise<readonly string[]>;
}

async function send(url: string, method: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) throw new Error(JSON.stringify(value));
  return value;
}

async function openBrowser(driver: string): Promise<Browser> {
  const args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  const alwaysMatch = { "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } };
  const { sessionId } = (await send(`${driver}/session`, "POST", { capabilities: { alwaysMatch } })) as {
    sessionId: string;
  };
  const session = `${driver}/session/${sessionId}`;
  const find = async (value: string): Promise<string> => {
    const found = await send(`${session}/element`, "POST", { using: "css selector", value });
    return `${session}/element/${(found as Record<string, string>)[ELEMENT]}`;
  };
  return {
    open: async (url) => void (await send(`${session}/url`, "POST", { url })),
    type: async (selector, text) => void (await send(`${await find(selector)}/value`, "POST", { text })),
    // Every button sends a form: the next page is there when the button has gone.
    click: async (selector) => {
      const button = await find(selector);
      await send(`${button}/click`, "POST", {});
      await vi.waitFor(async () => await expect(send(`${button}/enabled`, "GET")).rejects.toThrow("stale"), {
        timeout: 10_000,
      });
    },
    text: async (selector) => String(await send(`${await find(selector)}/text`, "GET")),
    count: async (value) =>
      ((await send(`${session}/elements`, "POST", { using: "css selector", value })) as unknown[]).length,
    title: async () => String(await send(`${session}/title`, "GET")),
    complaints: async () =>
      ((await send(`${session}/se/log`, "POST", { type: "browser" })) as { message: string }[]).map(
        ({ message }) => message,
      ),
  };
}

describe("the approvals page in a browser", () => {
  let folder: string;
  let driver: ChildProcess;
  let server: Booted;
  let browser: Browser;
  const witness = createWitness();
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "topogate-browser-"));
    const row = (id: keyof typeof KEYS, role: string): object => ({
      id,
      sha256: createHash("sha256").update(KEYS[id]).digest("hex"),
      role,
      team_id: "sre",
    });
    writeFileSync(join(folder, "keys.json"), JSON.stringify([row("agent", "operator"), row("ada", "admin")]));
    const environment = {
      MCP_PLAY_WRITE_ACCESS: "true",
      MCP_APPROVALS_PORT: "0",
      MCP_KEYS_FILE: join(folder, "keys.json"),
    };
    server = await boot("sdk", environment, withPlay(witness));
    driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "ignore"] });
    const port = await new Promise<string>((resolve, reject) => {
      let output = "";
      driver.stdout?.on("data", (data: Buffer) => {
        output += String(data);
        const found = /started successfully on port (\d+)/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
      driver.once("exit", () => reject(new Error(output)));
    });
    browser = await openBrowser(`http://127.0.0.1:${port}`);
  });
  afterAll(async () => {
    driver?.kill();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("signs in, previews, approves and executes, with nothing but forms", async () => {
    const agent = connectAs(server.port, KEYS.agent);
    await agent.call("play_run", { act: HOSTILE, dry_run: false });
    await browser.open(`http://localhost:${server.approvalsPort}/`);
    expect(await browser.title()).toBe("Approvals of test");
    await browser.type('input[name="key"]', "wrong");
    await browser.click("button");
    expect(await browser.text('[role="alert"]')).toBe("That is no key of role admin.");
    await browser.type('input[name="key"]', KEYS.ada);
    await browser.click("button");
    expect(await browser.text("article h2")).toBe("play_run on play: proposed");
    expect(await browser.text("article pre")).toContain(HOSTILE);
    expect(await browser.count("article img, script")).toBe(0);
    await browser.click('button[value="approve"]');
    expect(await browser.text("article h2")).toBe("play_run on play: approved");
    expect(witness.ran).toEqual([]);
    await browser.click('button[value="execute"]');
    expect(await browser.text("article h2")).toBe("play_run on play: executed");
    expect(witness.ran).toEqual([`play ${HOSTILE}`]);
    expect(await browser.count("article button")).toBe(0);
    expect(await browser.title()).toBe("Approvals of test");
  });

  it("rejects, and the browser has nothing to complain about but the refused sign-in", async () => {
    await connectAs(server.port, KEYS.agent).call("play_run", { act: "no", dry_run: false });
    await browser.open(`http://localhost:${server.approvalsPort}/`);
    await browser.click('button[value="reject"]');
    expect(await browser.text("article h2")).toBe("play_run on play: rejected");
    await browser.click('form[action="/logout"] button');
    expect(await browser.count('input[name="key"]')).toBe(1);
    const complaints = await browser.complaints();
    expect(complaints.filter((each) => !/favicon|\/login.* 401 /.test(each))).toEqual([]);
  });
});
