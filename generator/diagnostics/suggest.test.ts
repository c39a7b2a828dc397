import { describe, expect, it } from "vitest";
import { nearest, suggestion } from "./suggest.ts";

describe("suggestions", () => {
  it.each([
    ["kafak", ["kafka", "valkey"], "kafka"],
    ["domian", ["description", "domain"], "domain"],
    ["instnaces", ["instances"], "instances"],
    ["appdb", ["app_db", "audit_db"], "app_db"],
    ["Kafka", ["kafka"], "kafka"],
    ["web", ["service", "worker"], null],
    ["x", [], null],
  ])("%s among %j is %s", (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });

  it("prefers the closest, then the one that sorts first, in any order of candidates", () => {
    expect(nearest("bat", ["cat", "bar"])).toBe("bar");
    expect(nearest("bat", ["bar", "cat"])).toBe("bar");
    expect(suggestion("kafak", ["kafka"])).toBe(' Did you mean "kafka"?');
    expect(suggestion("web", ["kafka"])).toBe("");
  });
});
