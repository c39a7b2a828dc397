import { ToolFault } from "#runtime/fault";
import { integer, oneOf, text } from "#runtime/parameter";
import { defineModule, defineTool } from "#runtime/tool";
import type { AnyToolModule, CallContext, Tool } from "#runtime/tool";

/** What the tests look at from outside of the server. */
export interface Witness {
  readonly ran: string[];
  readonly aborted: string[];
  opened: number;
  closed: number;
}
export function createWitness(): Witness {
  return { ran: [], aborted: [], opened: 0, closed: 0 };
}

interface Notes {
  readonly notes: Map<string, string>;
  readonly password: string;
  readonly witness: Witness;
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const rows = (count: number, width: number): readonly unknown[] =>
  Array.from({ length: count }, (_, at) => ({ id: at, body: "x".repeat(width) }));

const FLOODS: Readonly<Record<string, () => unknown>> = {
  rows: () => rows(10_000, 90),
  cell: () => ({ text: "€".repeat(400_000) }),
  nested: () => ({ series: [{ name: "one", points: rows(10_000, 90) }], total: 1 }),
  members: () => Object.fromEntries(rows(20_000, 40).map((row, at) => [`k${at}`, row])),
};

const FAILURES: Readonly<Record<string, (client: Notes) => unknown>> = {
  fault: () => new ToolFault("not_found", "there is no such note", { hint: "list the notes first" }),
  faultWithSecret: ({ password }) => new ToolFault("upstream_unavailable", `login failed for ${password}`),
  error: ({ password }) => new Error(`connect ECONNREFUSED notes.internal:5432 as admin with ${password}`),
  text: () => "a plain string",
  nothing: () => undefined,
  hostile: () => ({
    get message(): string {
      throw new Error("even reading this fails");
    },
  }),
};

function encodings(secret: string): Readonly<Record<string, unknown>> {
  return {
    raw: `before ${secret} after`,
    split: `${secret.slice(0, 9)}\u200b${secret.slice(9)}`,
    base64: Buffer.from(secret).toString("base64"),
    inside: Buffer.from(`user:${secret}`).toString("base64"),
    base64url: Buffer.from(secret).toString("base64url"),
    hex: Buffer.from(secret).toString("hex").toUpperCase(),
    url: encodeURIComponent(secret),
    json: JSON.stringify({ v: secret }),
    list: [secret, [secret]],
    [secret]: "as a key",
    pem: "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    link: "postgres://app:hunter22@db.example/app",
    aws: "key AKIAIOSFODNN7EXAMPLE here",
    jwt: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    settings: { db_password: "s3cr3t-plain", apiKey: "k-123", secretName: "db-creds", token_count: 5 },
    line: "level=info password=opensesame user=bob",
  };
}

type Context = CallContext<Notes>;

const getNote = defineTool({
  name: "notes_get",
  title: "Get a note",
  description: "Reads one note.",
  effect: "read",
  parameters: { name: text({ max: 40 }) },
  handler: async ({ name }, { client }: Context) => {
    client.witness.ran.push("notes_get");
    const body = client.notes.get(name);
    if (body === undefined) throw new ToolFault("not_found", `there is no note ${name}`);
    return { data: { name, body } };
  },
});

const listNotes = defineTool({
  name: "notes_list",
  title: "List notes",
  description: "Lists up to 500 notes.",
  effect: "read",
  parameters: { limit: integer({ min: 1, max: 500, default: 50 }) },
  handler: async ({ limit }, { client }: Context) => {
    client.witness.ran.push(`notes_list ${limit}`);
    const names = [...client.notes.keys()].slice(0, limit);
    return { data: names, page: { returned: names.length, total: client.notes.size, next_cursor: null } };
  },
});

const slow = defineTool({
  name: "notes_slow",
  title: "Wait",
  description: "Answers after a while, or stops at once when cancelled.",
  effect: "read",
  parameters: { ms: integer({ min: 0, max: 60_000 }), tag: text({ max: 40, default: "" }) },
  timeoutMs: 1_500,
  handler: async ({ ms, tag }, { client, signal }: Context) => {
    client.witness.ran.push(`slow ${tag}`);
    try {
      await pause(ms, signal);
    } catch (reason) {
      client.witness.aborted.push(tag);
      throw reason;
    }
    return { data: { waited: ms } };
  },
});

const deaf = defineTool({
  name: "notes_deaf",
  title: "Wait, ignoring everybody",
  description: "Answers after a while and does not listen to its signal.",
  effect: "read",
  parameters: { ms: integer({ min: 0, max: 5_000 }) },
  timeoutMs: 100,
  handler: async ({ ms }, { client }: Context) => {
    client.witness.ran.push("deaf");
    await pause(ms);
    client.witness.ran.push("deaf ended");
    return { data: null };
  },
});

const flood = defineTool({
  name: "notes_flood",
  title: "Flood",
  description: "Returns about a megabyte.",
  effect: "read",
  parameters: { shape: oneOf(["rows", "cell", "nested", "members"], {}) },
  handler: async ({ shape }) => ({
    data: FLOODS[shape]?.(),
    page: { returned: 10_000, total: null, next_cursor: "after-10000" },
  }),
});

const broken = defineTool({
  name: "notes_broken",
  title: "Fail",
  description: "Fails in many ways.",
  effect: "read",
  parameters: { how: oneOf(["fault", "faultWithSecret", "error", "text", "nothing", "hostile"], {}) },
  handler: async ({ how }, { client }: Context) => {
    throw FAILURES[how]?.(client);
  },
});

const leak = defineTool({
  name: "notes_leak",
  title: "Leak",
  description: "Returns the password of the service in many forms.",
  effect: "read",
  parameters: {},
  handler: async (_, { client }: Context) => ({
    data: encodings(client.password),
    warnings: [`the password is ${client.password}`],
  }),
});

const dirty = defineTool({
  name: "notes_dirty",
  title: "Dirty text",
  description: "Returns text with characters that nobody sees.",
  effect: "read",
  parameters: {},
  handler: async () => ({
    data: { text: "a\u0000b\u001b[31mred\u001b[0m\u202ec\u200bd\nnext\tcell\ud800" },
  }),
});

const putNote = defineTool({
  name: "notes_put",
  title: "Put a note",
  description: "Writes one note into a book.",
  effect: "additive",
  parameters: { book: oneOf(["journal", "ledger"], {}), name: text({ max: 40 }), body: text({ max: 400 }) },
  handler: async ({ book, name, body }, { client }: Context) => {
    client.witness.ran.push(`notes_put ${book}`);
    client.notes.set(name, body);
    return { data: { written: name } };
  },
});

const clearNotes = defineTool({
  name: "notes_clear",
  title: "Clear all notes",
  description: "Removes every note.",
  effect: "destructive",
  parameters: {},
  handler: async (_, { client }: Context) => {
    client.witness.ran.push("notes_clear");
    client.notes.clear();
    return { data: { cleared: true } };
  },
});

/** In the code, but in no allow-list. */
const hidden = defineTool({
  name: "notes_hidden",
  title: "Hidden",
  description: "Must never run.",
  effect: "read",
  parameters: {},
  handler: async (_, { client }: Context) => {
    client.witness.ran.push("notes_hidden");
    return { data: null };
  },
});

export const READ_TOOLS = [getNote, listNotes, slow, deaf, flood, broken, leak, dirty] as const;

/** An in-process service with everything that a caller could abuse. */
export function notesModule(witness: Witness): AnyToolModule {
  const tools: readonly Tool<Notes>[] = [...READ_TOOLS, putNote, clearNotes, hidden];
  return defineModule<Notes>({
    link: {
      id: "mcp->notes",
      component: "notes",
      type: "notes",
      env: "MCP_NOTES",
      host: "notes.internal",
      port: 5432,
    },
    open: (settings) => {
      witness.opened += 1;
      const password = settings.secret("PASSWORD")?.reveal() ?? "";
      return { notes: new Map([["first", "hello"]]), password, witness };
    },
    close: async () => {
      witness.closed += 1;
    },
    tools,
  });
}

const addMemo = defineTool({
  name: "memo_add",
  title: "Add a memo",
  description: "Adds a memo; every call waits for a person.",
  effect: "additive",
  parameters: { body: text({ max: 100 }) },
  handler: async (_, { client }: Context) => {
    client.witness.ran.push("memo_add");
    return { data: null };
  },
});

/** A link that was drawn with `propose`. */
export function memoModule(witness: Witness): AnyToolModule {
  return defineModule<Notes>({
    link: {
      id: "mcp->memo",
      component: "memo",
      type: "notes",
      env: "MCP_MEMO",
      host: "memo.internal",
      port: 5432,
    },
    open: () => ({ notes: new Map(), password: "", witness }),
    close: async () => undefined,
    tools: [addMemo],
  });
}
