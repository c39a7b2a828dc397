/**
 * Programs that do their worst, in the place of those that are allowed: what they say is redacted, what they start
 * ends with them, and what they take is bounded. Real processes, started as every test starts them.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CANARIES, ENVIRONMENT, leakIn } from "../../test/harness/canaries.ts";
import { createObserver, rememberProcesses, strayProcesses } from "../../test/harness/observer.ts";
import type { Observer } from "../../test/harness/observer.ts";
import { drawnData, runTestOn } from "../../test/harness/run-test.ts";
import type { RunTest } from "../../test/harness/run-test.ts";

const STACK = `apiVersion: topology/v1
stack: stack
components:
  cnpg: {namespace: db, databases: {app_db: }}
  prometheus: {namespace: monitoring}
links:
  mcp: {stack_agent: read, cnpg: read, prometheus: read}
`;

const SECRET = CANARIES.MCP_CNPG_APP_DB_PASSWORD;
const PSQL = "PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c 'SELECT 1'";
const ROW = { source: "cnpg", target: "sub_components", command: PSQL };

interface Result {
  readonly status: string;
  readonly output: string;
  readonly exit_code: number;
  readonly truncated?: boolean;
  readonly captures?: Readonly<Record<string, string>>;
  readonly on_failure?: { readonly status: string };
}

let observer: Observer;
let tests: RunTest;
let temporary: string;
const usual = process.env["TMPDIR"];

beforeAll(async () => {
  rememberProcesses();
  observer = createObserver();
  tests = runTestOn(await drawnData(STACK), { environment: ENVIRONMENT, folders: [observer.folder] });
  temporary = mkdtempSync(join(tmpdir(), "topogate-hostile-"));
  process.env["TMPDIR"] = temporary;
});

afterEach(() => {
  expect(strayProcesses()).toEqual([]);
  expect(existsSync(observer.marker)).toBe(false);
});

afterAll(() => {
  expect(readdirSync(temporary)).toEqual([]);
  if (usual === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usual;
  rmSync(temporary, { recursive: true });
  observer.remove();
});

async function whole(
  script: string,
  body: object = ROW,
  signal?: AbortSignal,
): Promise<{ result: Result; text: string }> {
  observer.replace("psql", script);
  const { data } = await tests.run(body as Record<string, unknown>, signal);
  const { results } = data as { results: readonly Result[] };
  return { result: results[0] as Result, text: JSON.stringify(data) };
}

/** JavaScript that has the password in `s`. */
const node = (script: string): string => `exec ${process.execPath} -e '
const s = process.env.PGPASSWORD; const out = (text) => process.stdout.write(text);
${script.replaceAll("'", `'"'"'`)}'`;

describe("S5: a program that says everything it knows", () => {
  it("gets the values that were drawn, as one argument each, and the secret in its environment alone", async () => {
    const { result } = await whole(
      'for word in "$@"; do printf "<%s>" "$word"; done; printf "%s" "${#PGPASSWORD}"; pwd; ls -A; cat',
    );
    expect(result.output).toMatch(
      /^<-X><-w><-q><-A><-t><-h><cluster-db-rw\.db\.svc\.cluster\.local><-p><5432><-U><mcp_ro_app_db><-c><SELECT 1>26\/\S+\/run-\w+$/,
    );
  });

  it("has an environment of a few variables, none of them of this process", async () => {
    const { result } = await whole("env | cut -d= -f1 | sort | tr '\\n' ' '");
    expect(result.output.split(" ").filter((name) => name !== "")).toEqual(
      "HOME LANG LC_ALL PATH PGAPPNAME PGCONNECT_TIMEOUT PGDATABASE PGOPTIONS PGPASSWORD PGPORT PSQL_PAGER PWD SHLVL TMPDIR TOPOGATE_RUN _".split(
        " ",
      ),
    );
  });

  const codes = (base: number): string =>
    `out([...Buffer.from(s)].map((b) => b.toString(${base})).join(" "))`;
  it.each([
    ["as it is", "out(s)"],
    ["in the middle of a word", 'out("x" + s + "y")'],
    ["in capitals", "out(s.toUpperCase())"],
    ["backwards", "out([...s].reverse().join(''))"],
    ["in base64", "out(Buffer.from(s).toString('base64'))"],
    ["in base64, after one more byte", "out(Buffer.from('x' + s).toString('base64'))"],
    ["in base64, after two more bytes", "out(Buffer.from('xy' + s + 'z').toString('base64'))"],
    ["in base64url", "out(Buffer.from(s).toString('base64url'))"],
    ["in base64 of UTF-16", "out(Buffer.from(s, 'utf16le').toString('base64'))"],
    ["in base64, backwards", "out(Buffer.from([...s].reverse().join('')).toString('base64'))"],
    ["in hex", "out(Buffer.from(s).toString('hex'))"],
    ["in hex, in capitals", "out(Buffer.from(s).toString('hex').toUpperCase())"],
    ["in hex with spaces", codes(16)],
    ["in hex with colons", "out(Buffer.from(s).toString('hex').match(/../g).join(':'))"],
    ["in decimal", codes(10)],
    ["in octal", "out([...Buffer.from(s)].map((b) => b.toString(8).padStart(3, '0')).join(' '))"],
    [
      "in octal with backslashes",
      "out([...Buffer.from(s)].map((b) => '\\\\' + b.toString(8).padStart(3, '0')).join(''))",
    ],
    ["in percent", "out(encodeURIComponent(s))"],
    ["in percent, every byte", "out([...Buffer.from(s)].map((b) => '%' + b.toString(16)).join(''))"],
    ["in JSON", "out(JSON.stringify(s))"],
    ["in HTML", "out(s.replace(/[&<>]/g, (c) => '&#' + c.charCodeAt(0) + ';'))"],
    [
      "in ROT13",
      "out(s.replace(/[a-z]/gi, (c) => String.fromCharCode((c <= 'Z' ? 90 : 122) >= (c = c.charCodeAt(0) + 13) ? c : c - 26)))",
    ],
    ["in UTF-16", "out(Buffer.from(s, 'utf16le'))"],
    ["with spaces", "out([...s].join(' '))"],
    ["with line breaks", "out([...s].join('\\n'))"],
    ["with dashes", "out([...s].join('-'))"],
    ["with NUL in it", "out([...s].join('\\0'))"],
    ["with colours in it", "out([...s].join('\\x1b[31m'))"],
    ["with invisible characters in it", "out([...s].join('\\u200b'))"],
    ["with bidirectional characters in it", "out('\\u202e' + [...s].join('\\u2060'))"],
    ["on the other stream", "process.stderr.write(s)"],
    ["a hundred times", "out((s + '\\n').repeat(100))"],
    ["byte by byte", "for (const b of Buffer.from(s)) { require('fs').writeSync(1, Buffer.from([b])); }"],
    ["across the edge of a chunk", "out('x'.repeat(65536 - 10) + s)"],
    ["across the edge of what is kept", "out('x'.repeat(262144 - 10) + s + 'y'.repeat(100000))"],
    ["at the very end of what is kept", "out('x'.repeat(262144 - s.length + 3) + s + 'y'.repeat(100000))"],
    ["across the edge of what is answered", "out('x'.repeat(19995) + s + 'y'.repeat(100))"],
    ["in a URL", "out('postgres://mcp:' + s + '@host/db')"],
    ["as what a pipe reads", "out(s + '\\n')"],
  ])("cannot say the secret %s", async (_how, script) => {
    const { result, text } = await whole(node(script));
    expect(leakIn(text)).toBeUndefined();
    expect(text).not.toContain(SECRET.slice(0, 10));
    expect(result.status).toBe("passed");
  });

  it("cannot be asked about the secret through a pipe, character by character", async () => {
    for (const guess of ["c", "cA", "cAnary", SECRET]) {
      const command = `n=$(${PSQL} | grep -cF '${guess}'); test "$n" = 0`;
      const { result } = await whole(node("out(s + '\\n')"), { ...ROW, command });
      // "[redacted]" has a c in it, as everybody knows; the secret's own characters answer nothing.
      expect(result.captures).toEqual({ n: "[redacted]".includes(guess) ? "1" : "0" });
    }
  });

  it("cannot say what it was given on its standard input", async () => {
    observer.replace("curl", "cat");
    const { data } = await tests
      .run({ source: "prometheus", command: "curl -s -u {username}:{password} http://{host}:{port}/" })
      .catch((error: unknown) => ({ data: String(error) }));
    expect(JSON.stringify(data)).not.toContain("canary");
    const token = await tests.run({
      source: "prometheus",
      command: 'curl -s -H "Authorization: Bearer {token}" http://{host}:{port}/',
    });
    expect(JSON.stringify(token.data)).toContain('header = \\"Authorization: Bearer [redacted]');
    expect(leakIn(JSON.stringify(token.data))).toBeUndefined();
  });
});

describe("S24: what a program starts ends with it", () => {
  it.each([
    ["children that wait", "for i in 1 2 3 4 5; do sleep 300 & done; echo done"],
    ["a child that ignores being asked to end", "(trap '' TERM HUP INT; sleep 300) & echo done"],
    ["a child in a session of its own", "setsid sleep 300 & echo done"],
    [
      "a grandchild in a session of its own that holds the output open",
      "setsid bash -c 'sleep 300 & sleep 300' & echo done",
    ],
    ["a daemon", "(setsid bash -c 'exec </dev/null >/dev/null 2>&1; sleep 300' &); echo done"],
    ["children that start children", "f() { sleep 300 & (sleep 300 & sleep 300) & }; f; f; f; echo done"],
    ["a child that would touch a file later", '(sleep 1; touch "$(dirname "$log")/marker") & echo done'],
  ])("%s", async (_what, script) => {
    const started = performance.now();
    const { result } = await whole(script);
    expect(result.output).toBe("done");
    expect(performance.now() - started).toBeLessThan(8000);
  });

  it("when it does not end by itself, and does not want to", async () => {
    const controller = new AbortController();
    const over = setTimeout(() => controller.abort(), 700);
    const started = performance.now();
    const ended = whole("trap '' TERM; sleep 300 & while :; do sleep 300; done", ROW, controller.signal);
    await expect(ended).rejects.toThrow("abort");
    expect(performance.now() - started).toBeLessThan(8000);
    clearTimeout(over);
  });
});

describe("S24: what a program takes is bounded", () => {
  it("in time", { timeout: 60_000 }, async () => {
    const started = performance.now();
    const script = 'case "$*" in *x2*) echo diagnosis ;; *) sleep 300 ;; esac';
    const { result } = await whole(script, { ...ROW, on_failure: PSQL.replace("SELECT 1", "TABLE x2") });
    expect(result).toMatchObject({ status: "timeout", exit_code: 124, on_failure: { output: "diagnosis" } });
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it("in time for all rows together", async () => {
    // Two rows at once take no longer than one.
    const two = await drawnData(STACK.replace("app_db: }", "app_db: , other_db: }"));
    const both = runTestOn(two, {
      environment: { ...ENVIRONMENT, MCP_CNPG_OTHER_DB_PASSWORD: "another one" },
      folders: [observer.folder],
    });
    observer.replace("psql", "sleep 3");
    const started = performance.now();
    const { data } = await both.run(ROW);
    expect(data).toMatchObject({ status: "passed", results: [{ name: "app_db" }, { name: "other_db" }] });
    expect(performance.now() - started).toBeLessThan(5500);
  });

  it.each([
    ["an endless output", "yes"],
    ["an endless line", "tr '\\0' x </dev/zero"],
    ["an endless output of errors", "yes >&2"],
    ["both", "yes & yes >&2"],
  ])("in output: %s", async (_what, script) => {
    const started = performance.now();
    const { result, text } = await whole(script);
    expect(result.status).toBe("failed");
    expect(result.truncated).toBe(true);
    expect(text.length).toBeLessThan(50_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it("a long output that ends is a success, shown as far as it goes", async () => {
    const { result } = await whole("seq 1 200000");
    expect(result).toMatchObject({ status: "passed", truncated: true });
    expect(result.output.startsWith("1\n2\n3\n")).toBe(true);
  });

  it("a count of an output that was cut is no count", async () => {
    const { result } = await whole("seq 1 200000", { ...ROW, command: `${PSQL} | wc -l` });
    expect(result).toMatchObject({
      status: "failed",
      exit_code: 2,
      output: "wc: its input was too long to be read whole",
    });
  });

  it("in files, memory and open files", async () => {
    const { result: file } = await whole("head -c 20000000 /dev/zero >big; stat -c %s big");
    expect(Number(file.output.split("\n")[0])).toBeLessThanOrEqual(8_388_608);
    const { result: memory } = await whole(`${process.execPath} -e 'Buffer.alloc(8e9)' && echo allocated`);
    expect(memory.output).not.toContain("allocated");
    const { result: open } = await whole("ulimit -n; ulimit -c");
    expect(open.output).toBe("256\n0");
  });

  it("in rights: a program with a set-user-ID bit gives none", async () => {
    const { result } = await whole("grep NoNewPrivs /proc/self/status | tr -d '\\t'");
    expect(result.output).toBe("NoNewPrivs:1");
  });

  it("in its folder, which is gone afterwards", async () => {
    const { result } = await whole("echo x >left; mkdir -p a/b; ln -s /etc a/etc; pwd");
    expect(existsSync(result.output)).toBe(false);
    expect(existsSync("/etc/passwd")).toBe(true);
  });

  it("in number: only so many run at once, and only so many wait", async () => {
    observer.replace("psql", "sleep 0.2");
    const calls = Array.from({ length: 80 }, () =>
      tests.run(ROW).then(({ data }) => (data as { results: readonly Result[] }).results[0]),
    );
    const results = await Promise.all(calls);
    const passed = results.filter((result) => result?.status === "passed").length;
    const busy = results.filter(
      (result) => (result as { reason?: string } | undefined)?.reason === "busy",
    ).length;
    expect(passed).toBe(68);
    expect(busy).toBe(12);
  }, 60_000);
});

describe("S24: what a program ends with", () => {
  it.each([
    ["exit 0", { status: "passed", exit_code: 0 }],
    ["exit 3", { status: "failed", exit_code: 3 }],
    ["kill -SEGV $$", { status: "failed", exit_code: 137 }],
    ["printf '\\377\\376\\000abc'", { status: "passed", output: "\ufffd\ufffdabc" }],
    ["printf 'a\\rb\\n'", { status: "passed", output: "ab" }],
    ["printf '\\033]0;title\\007x\\033[2J'", { status: "passed", output: "x" }],
    ["exec >&-; exec 2>&-; sleep 0.2", { status: "passed", output: "" }],
    ["echo out; echo err >&2; exit 1", { status: "failed", output: "out\nerr" }],
  ])("%s", async (script, expected) => {
    expect((await whole(script)).result).toMatchObject(expected);
  });

  it("a program that cannot be started is a refusal of its row", async () => {
    observer.replace("psql", "exit 0");
    const absent = runTestOn(tests.drawn, { environment: ENVIRONMENT, folders: ["/nowhere"] });
    expect((await absent.run(ROW)).data).toMatchObject({
      status: "incomplete",
      results: [{ status: "refused", reason: "not_installed" }],
    });
  });
});
