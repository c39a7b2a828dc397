import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evaluate } from "#runtime/policy/policy";
import type { Decision } from "#runtime/policy/policy";
import { parsePolicy, revisionOf } from "#runtime/policy/document";
import type { PolicyDocument, PolicyGrant } from "#runtime/policy/document";

const folder = new URL("mcp-runtime/", import.meta.url);
const [revision = "", , ...golden] = readFileSync(new URL("decisions.txt", folder), "utf8")
  .trim()
  .split("\n");
const written = JSON.parse(readFileSync(new URL("document.json", folder), "utf8")) as PolicyDocument;
const document: PolicyDocument = { ...written, revision };
const NOW = Date.parse("2026-06-01T00:00:00Z");

/** As mcp-runtime prints a decision: the same members in the same order, with Go's names. */
function asGo(decision: Decision): string {
  const members = Object.entries(decision).map(([key, value]) => [
    `${key.charAt(0).toUpperCase()}${key.slice(1)}`,
    value as unknown,
  ]);
  return JSON.stringify(Object.fromEntries(members));
}

const SOMEBODY = { human: "u1", agent: "a1", team: "", session: "s1" };
function decide(change: Partial<PolicyDocument>, tool = "ch_query", now = NOW): Decision {
  return evaluate({ ...document, ...change }, { identity: SOMEBODY, method: "tools/call", tool }, now);
}

describe("R4 R6: the policy of mcp-runtime", () => {
  it("the revision is the one that mcp-runtime gives", () => {
    expect(revisionOf(written as unknown as Record<string, unknown>)).toBe(revision);
    expect(parsePolicy(JSON.stringify(document))).toEqual(document);
  });

  it("has seven golden decisions", () => expect(golden).toHaveLength(7));

  it.each(golden.map((line) => /^(\S*) (\S*) (\{.*\})$/.exec(line)?.slice(1) ?? []))(
    "session %j, tool %j: byte for byte",
    (session = "", tool = "", decision = "") => {
      const identity =
        session === "" ? { human: "", agent: "", team: "", session } : { ...SOMEBODY, session };
      const method = tool === "" ? "tools/list" : "tools/call";
      expect(asGo(evaluate(document, { identity, method, tool }, NOW))).toBe(decision);
    },
  );

  const [grant = { name: "" }] = document.grants ?? [];
  const [session = { name: "" }] = document.sessions ?? [];

  it("R3: a session ends at its instant, and one whose end nobody can read has ended", () => {
    const end = Date.parse("2026-12-31T00:00:00Z");
    expect(decide({}, "ch_query", end - 1).reason).toBe("allowed");
    expect(decide({}, "ch_query", end).reason).toBe("session_expired");
    for (const unreadable of ["soon", "2026-12-31", "9999"])
      expect(decide({ sessions: [{ ...session, expires_at: unreadable }] }).reason).toBe("session_expired");
    expect(decide({ sessions: [{ ...session, revoked: true }] }).reason).toBe("session_revoked");
  });

  it("R4: two grants add up, a denial of one of them wins, and a disabled one counts for nothing", () => {
    const low: PolicyGrant = { ...grant, name: "a-low", max_trust: "low", allowed_side_effects: ["read"] };
    expect(decide({ grants: [low, grant] }, "ch_insert")).toMatchObject({
      allowed: true,
      matchedGrant: "g1",
    });
    const denying: PolicyGrant = { ...low, tool_rules: [{ name: "ch_insert", decision: "deny" }] };
    expect(decide({ grants: [grant, denying] }, "ch_insert")).toMatchObject({
      reason: "tool_denied",
      matchedGrant: "a-low",
    });
    expect(decide({ grants: [{ ...grant, disabled: true }] }).reason).toBe("tool_not_granted");
  });

  it("a rule of a grant can ask for more trust, never for less", () => {
    const asking = (trust: "low" | "high"): Decision =>
      decide(
        {
          grants: [
            { ...grant, tool_rules: [{ name: "ch_insert", decision: "allow", required_trust: trust }] },
          ],
        },
        "ch_insert",
      );
    expect(asking("low").requiredTrust).toBe("medium");
    expect(asking("high")).toMatchObject({ reason: "trust_too_low", requiredTrust: "high" });
  });

  it("R27: by default a decision of nobody's is a denial, unless the policy says otherwise", () => {
    expect(decide({ grants: [] })).toMatchObject({
      allowed: false,
      reason: "no_matching_grant",
      status: 403,
    });
    const open = { policy: { ...document.policy, default_decision: "allow" as const }, grants: [] };
    expect(decide(open)).toMatchObject({ allowed: true, reason: "no_matching_grant" });
  });
});

describe("R23: a policy that cannot be enforced as it stands", () => {
  const stamped = (change: object): string => {
    const changed = { ...document, ...change };
    return JSON.stringify({ ...changed, revision: revisionOf(changed) });
  };
  const refusal = (text: string): string => {
    try {
      parsePolicy(text);
      return "accepted";
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("is one whose revision is not its own", () => {
    const opened = JSON.stringify(document).replace('"max_trust":"high"', '"max_trust":"low"');
    expect(refusal(opened)).toMatch(/^is not a policy: revision must be sha256:[0-9a-f]{64}: generate again/);
  });

  it.each<[string, string]>([
    ["{", "is not valid JSON"],
    ["[]", "is not a policy: document must be an object"],
    ['{"schema_version":"v1","schema_version":"v1"}', "must not name a key twice or __proto__"],
  ])("is %s", (text, message) => expect(refusal(text)).toBe(message));

  it.each<[string, object, string]>([
    [
      "a word nobody knows",
      { tools: [{ name: "a", side_effect: "harmless" }] },
      "side_effect must be one of",
    ],
    [
      "a trust nobody knows",
      { tools: [{ name: "a", required_trust: "none" }] },
      "required_trust must be one of",
    ],
    [
      "a member nobody knows",
      { grants: [{ name: "a", everything: true }] },
      "has an unknown member everything",
    ],
    ["a text for a list", { grants: "all" }, "document.grants must be a list"],
    ["a text for a flag", { sessions: [{ name: "a", revoked: "no" }] }, "revoked must be true or false"],
  ])("is %s", (_, change, message) => {
    expect(refusal(JSON.stringify({ ...document, ...change }))).toContain(message);
  });

  it("is one of another version", () => {
    expect(refusal(stamped({ schema_version: "v2" }))).toBe("is not a policy: schema_version must be v1");
  });
});
