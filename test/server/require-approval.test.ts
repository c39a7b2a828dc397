import { describe, expect, it } from "vitest";
import type { Call, Outcome } from "#runtime/call/call";
import { argumentsDigest } from "#runtime/digest";
import type { AllowedTool } from "#runtime/registry";
import { accessOf, requireApproval } from "#runtime/stage/require-approval";
import type { ApprovalParts } from "#runtime/stage/require-approval";

const ALLOWED: AllowedTool = {
  link: "mcp->notes",
  access: "write",
  flag: "MCP_NOTES_WRITE_ACCESS",
  target: { parameter: "book", access: { journal: "write", ledger: "propose", archive: "read" } },
};

describe("access of the targets that a call names", () => {
  it.each([
    [{ book: "journal" }, "write"],
    [{ book: "ledger" }, "propose"],
    [{ book: "archive" }, "read"],
    [{ book: ["journal", "journal"] }, "write"],
    [{ book: ["journal", "ledger"] }, "propose"],
    [{ book: ["ledger", "archive", "journal"] }, "read"],
    [{ book: [] }, "read"],
    [{ book: "unheard of" }, "read"],
    [{ book: "constructor" }, "read"],
    [{ book: 5 }, "read"],
    [{}, "read"],
  ] as const)("A6: of %j is %s", (args, access) => {
    expect(accessOf(ALLOWED, args)).toBe(access);
  });

  it("is that of the tool where no target was drawn", () => {
    const { link, access, flag } = ALLOWED;
    expect(accessOf({ link, access, flag }, { book: "archive" })).toBe("write");
  });
});

describe("a later round of a call", () => {
  const envelope = { data: { written: "a" } };
  const args = { name: "a" };
  const who = { id: "key:agent" };
  const entry = {
    writes: true,
    allowed: ALLOWED,
    link: { component: "notes" },
    tool: { name: "put", inputSchema: {} },
  };
  const argsSha = argumentsDigest("notes", "put", args);
  const stored = { proposal_id: "1", tool: "put", argsSha, proposer: who, approved_by: "key:ada" };
  const roundWith = async (change: object, awaits: object = {}): Promise<Outcome> => {
    const proposals = { store: { get: async () => ({ ...stored, ...change }) } };
    const parts = { proposals, approvalForWrites: false } as unknown as ApprovalParts;
    const exchange = { note: () => undefined };
    const awaited = { proposal_id: "1", tool: "put", argsSha, ...awaits };
    const allowed = { ...ALLOWED, target: undefined };
    const call = { name: "put", args, principal: who, exchange, awaits: awaited };
    return await requireApproval(parts)(
      { ...call, entry: { ...entry, allowed } } as unknown as Call,
      async () => expect.fail("it was executed a second time"),
    );
  };

  it("A3: brings the result of the one execution, also where the call would run directly by now", async () => {
    const executed = { state: "executed", result: { ok: true, answer: envelope } };
    expect(await roundWith(executed)).toEqual({ kind: "result", envelope });
    const failed = { state: "executed", result: { ok: false, answer: { code: "timeout" } } };
    expect(await roundWith(failed)).toMatchObject({ kind: "fault", fault: { code: "timeout" } });
  });

  it.each([
    ["is being executed", { state: "executing" }, {}, "approval_required"],
    ["was rejected", { state: "rejected" }, {}, "denied"],
    ["is somebody else's", { state: "executed", proposer: { id: "key:ada" } }, {}, "invalid_argument"],
    ["is of another tool", { state: "executed", tool: "get" }, {}, "invalid_argument"],
    ["is of other arguments", { state: "executed" }, { argsSha: "0".repeat(64) }, "invalid_argument"],
  ])("A3: executes nothing when the proposal %s", async (_what, change, awaits, code) => {
    expect(await roundWith(change, awaits)).toMatchObject({ kind: "fault", fault: { code } });
  });
});
