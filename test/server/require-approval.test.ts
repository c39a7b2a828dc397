import { describe, expect, it } from "vitest";
import type { AllowedTool } from "#runtime/registry";
import { accessOf } from "#runtime/stage/require-approval";

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
