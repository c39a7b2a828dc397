import { describe, expect, it } from "vitest";
import { sqlIdentifier, sqlLiteral } from "./sql.ts";

describe("sqlIdentifier", () => {
  it("quotes every name, so that case, keywords and quotes stay what they are", () => {
    expect(["app_db", "Select", 'a"; DROP TABLE b; --', "größe"].map(sqlIdentifier)).toEqual([
      '"app_db"',
      '"Select"',
      '"a""; DROP TABLE b; --"',
      '"größe"',
    ]);
  });

  it("throws for names that PostgreSQL would refuse or cut", () => {
    for (const name of ["", "a\0b", "a\nb", "x".repeat(64), "ä".repeat(32)])
      expect(() => sqlIdentifier(name)).toThrow("cannot be the name");
    expect(sqlIdentifier("x".repeat(63))).toHaveLength(65);
  });
});

describe("sqlLiteral", () => {
  it("doubles quotes and makes backslashes safe under either setting", () => {
    expect(["a", "it's", "a\\' OR 1=1"].map(sqlLiteral)).toEqual(["'a'", "'it''s'", " E'a\\\\'' OR 1=1'"]);
  });

  it("throws for a NUL character", () => {
    expect(() => sqlLiteral("a\0b")).toThrow("NUL");
  });
});
