import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where a folder may bring a live suite: `live.test.ts` beside a `live.sh`. */
const PLACES = ["templates", "generator", "test/live"];

/** The folders with a live suite by their names, each relative to the repository. */
export function liveSuites(): ReadonlyMap<string, string> {
  const folders = PLACES.flatMap((place) =>
    readdirSync(join(ROOT, place)).map((name) => [name, join(place, name)] as const),
  );
  return new Map(folders.filter(([, folder]) => existsSync(join(ROOT, folder, "live.test.ts"))).sort());
}

/** The `live.sh` of a suite. */
export function liveScript(name: string): string {
  const folder = liveSuites().get(name);
  if (folder === undefined) throw new Error(`there is no live suite "${name}"`);
  return join(ROOT, folder, "live.sh");
}

/** A real server on loopback, started by the `live.sh` of a type's folder. */
export interface LiveServer {
  readonly port: number;
  /** Its data, removed by `stop`. */
  readonly folder: string;
  readonly log: () => string;
  stop(): Promise<void>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** What `live.sh check` prints: the version of the server, or `undefined` when it is not installed. */
export function liveVersion(
  name: string,
  variables: Readonly<Record<string, string>> = {},
): string | undefined {
  const env = { ...process.env, ...variables };
  const check = spawnSync("bash", [liveScript(name), "check"], { encoding: "utf8", env });
  return check.status === 0 ? check.stdout.trim() : undefined;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/**
 * Runs `live.sh start` with `PORT` and `DIR` set and waits until the port answers. The script must end in
 * the server itself (`exec`), so that stopping the process stops the server.
 */
export async function startLive(
  template: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<LiveServer> {
  const folder = mkdtempSync(join(tmpdir(), `topogate-live-${template}-`));
  const port = await freePort();
  const child = spawn("bash", [liveScript(template), "start"], {
    env: { ...process.env, ...environment, PORT: String(port), DIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let log = "";
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-20_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null) {
      try {
        process.kill(-child.pid, "SIGTERM");
      } catch {
        // Ended by itself between the check and the signal.
      }
      const killer = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, "SIGKILL"), 10_000);
      await ended;
      clearTimeout(killer);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + 180_000;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`${template}/live.sh start did not open port ${port}:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { port, folder, log: () => log, stop };
}
