import { ExitCode, UsageError } from "./terminal.ts";

export interface ApproveOptions {
  readonly server: string;
  readonly list?: boolean;
  readonly reject?: boolean;
  readonly execute?: boolean;
  readonly json?: boolean;
}

/** The members of a proposal that a person decides by. */
interface Shown {
  readonly proposal_id: string;
  readonly provider: string;
  readonly tool: string;
  readonly argsSha: string;
  readonly state: string;
  readonly expires_at: string;
  readonly approved_by?: string;
  readonly proposer: { readonly id: string; readonly human: string | null };
  readonly preview: unknown;
}

const KEY = "TOPOGATE_API_KEY";
const TIMEOUT_MS = 120_000;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** `/api/mcp/` beside the address that clients have; a key never travels in the open. */
function routeOf(server: string, name: string): URL {
  let url: URL;
  try {
    url = new URL(server);
  } catch {
    throw new UsageError(`--server must be an address such as https://mcp.example.com/mcp, not "${server}"`);
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.has(url.hostname)))
    throw new UsageError("--server must start with https://, or lead to this machine");
  const prefix = url.pathname.replace(/\/(mcp\/?)?$/, "");
  return new URL(`${prefix}/api/mcp/${name}`, url.origin);
}

function keyOfCaller(): string {
  const key = process.env[KEY];
  if (key === undefined || key === "")
    throw new UsageError(`${KEY} is not set: it holds your own key, of role admin`);
  return key;
}

async function ask(server: string, name: string, body?: object): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(routeOf(server, name), {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${keyOfCaller()}`, "content-type": "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    throw new UsageError(`the server answered ${response.status}, and no JSON: does ${name} reach it?`);
  }
  if (!response.ok) throw new UsageError(`the server answered ${response.status} ${String(answer["error"])}`);
  return answer;
}

/** What another machine says must not steer the terminal that it is printed on. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a1-\ud7ff\ue000-\ufffd]/g, "?");
}

function describe(proposal: Shown): string {
  const { proposal_id, tool, provider, state, expires_at, approved_by: by, proposer, argsSha } = proposal;
  const lines = [
    `${proposal_id}  ${tool} on ${provider}  ${state}${by === undefined ? "" : ` by ${by}`}`,
    `  proposed by ${proposer.human ?? proposer.id}, until ${expires_at}, argsSha ${argsSha}`,
    ...JSON.stringify(proposal.preview, null, 2)
      .split("\n")
      .map((line) => `  ${line}`),
  ];
  return `${lines.map(plain).join("\n")}\n`;
}

async function proposals(server: string): Promise<readonly Shown[]> {
  return (await ask(server, "proposals"))["proposals"] as readonly Shown[];
}

/** Shows what waits for a person, or decides about one proposal: the way of people beside that of the model. */
export async function runApprove(id: string | undefined, options: ApproveOptions): Promise<number> {
  const { server } = options;
  const print = (answer: object, text: string): void =>
    void process.stdout.write(options.json === true ? `${JSON.stringify(answer)}\n` : text);
  if (options.list === true || id === undefined) {
    const all = await proposals(server);
    print({ proposals: all }, all.length === 0 ? "nothing waits\n" : all.map(describe).join("\n"));
    return ExitCode.ok;
  }
  if (options.reject === true && options.execute === true)
    throw new UsageError("--reject and --execute exclude each other");
  const decided = (await ask(server, options.reject === true ? "reject" : "approve", {
    proposal_id: id,
  })) as unknown as Shown;
  if (options.execute !== true) {
    print(decided, describe(decided));
    return ExitCode.ok;
  }
  const { argsSha } = decided;
  const executed = await ask(server, "execute", { proposal_id: id, argsSha });
  const isDone = executed["ok"] === true;
  const how = isDone ? "executed" : "executed, and it failed";
  const answer = plain(JSON.stringify(executed["answer"]));
  print(executed, `${how}${executed["replayed"] === true ? " before" : ""}: ${answer}\n`);
  return isDone ? ExitCode.ok : ExitCode.findings;
}
