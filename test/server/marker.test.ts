import { describe, expect, it } from "vitest";
import { footerOf, markerBy, markerLine } from "#runtime/marker";

describe("A3 A8: the mark of an approval", () => {
  it("names the digest and the approver", () => {
    const marker = markerBy("ab".repeat(32), "key:ada");
    expect(footerOf(marker)).toBe(`approved by key:ada <!-- mcp:${"ab".repeat(32)} -->`);
    expect(markerLine(marker)).toBe(`mcp:${"ab".repeat(32)} approved by key:ada`);
  });

  it.each(["key:gateway/*/'; DROP TABLE x --/sre", "a\r\nx-evil: 1", "-->\u202e<script>", "é".repeat(300)])(
    "%j ends no comment, no header and no line",
    (approver) => {
      const line = markerLine(markerBy("0".repeat(64), approver));
      expect(line).toMatch(/^[\w:.@/% -]+$/);
      expect(line).not.toContain("--");
      expect(line.length).toBeLessThan(256);
    },
  );
});
