import { describe, expect, it } from "vitest";
import type { Audit } from "#runtime/audit/audit";
import type { Call, Outcome } from "#runtime/call/call";
import { auditAttempt } from "#runtime/stage/audit-attempt";

const DONE = { kind: "result", envelope: {} } as unknown as Outcome;

/** A call of a tool, as far as the stage looks at it. */
function callOf(writes: boolean, mayWrite?: true): Call {
  const exchange = { id: "1", facts: () => ({ tool: "t" }) };
  return { exchange, entry: { writes, tool: { mayWrite } } } as unknown as Call;
}

function auditThat(attempt: () => void): Audit {
  return { attempt } as unknown as Audit;
}

describe("the record before the call", () => {
  it.each([
    ["a write", callOf(true)],
    ["a read tool that may write", callOf(false, true)],
  ])("P2: %s is recorded first, and does not happen when that fails", async (_what, call) => {
    const order: string[] = [];
    const run = async (): Promise<Outcome> => {
      order.push("ran");
      return DONE;
    };
    await auditAttempt(auditThat(() => order.push("recorded")))(call, run);
    expect(order).toEqual(["recorded", "ran"]);
    const broken = auditThat(() => {
      throw new Error("no space left");
    });
    const refused = await auditAttempt(broken)(call, run);
    expect(refused).toMatchObject({ kind: "fault", fault: { code: "audit_unavailable" } });
    expect(order).toEqual(["recorded", "ran"]);
  });

  it("P2: a read goes on without", async () => {
    const broken = auditThat(() => {
      throw new Error("no space left");
    });
    expect(await auditAttempt(broken)(callOf(false), async () => DONE)).toBe(DONE);
  });
});
