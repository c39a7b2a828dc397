/** The emitted account of the live suite: nginx in front of the real server, as its README says. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { emitPrincipals } from "../../test/harness/principals.ts";
import { freePort } from "../../test/live/server.ts";

export interface Proxy {
  readonly port: number;
  readonly log: () => string;
  stop(): Promise<void>;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Runs the README's command, includes the emitted file, and starts nginx on a free port. */
export async function startProxy(alertmanager: number, password: string, link: string): Promise<Proxy> {
  const principals = await emitPrincipals(`apiVersion: topology/v1
stack: stack
components: {alertmanager: {host: 127.0.0.1, port: ${alertmanager}}}
links: {mcp: {alertmanager: ${link}}}
`);
  const { folder } = principals;
  principals.apply("alertmanager", { MCP_ALERTMANAGER_PASSWORD: password });
  const conf = principals.text("alertmanager/nginx.conf");
  const port = await freePort();
  if (!conf.includes("listen 9094;")) throw new Error("the emitted file does not listen");
  writeFileSync(
    join(folder, "account.conf"),
    conf
      .replace("listen 9094;", `listen 127.0.0.1:${port};`)
      .replace("mcp_alertmanager.htpasswd", `${folder}/$&`),
  );
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr;
events {}
http { access_log off; ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")} include ${folder}/account.conf; }
`,
  );
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder, "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
    principals.remove();
  };
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, log: () => log, stop };
}
