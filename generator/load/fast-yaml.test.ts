import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { damagedText, yamlText } from "../../test/harness/yaml-texts.ts";
import { locateFast, parseFast } from "./fast-yaml.ts";
import { type StrictResult, parseStrict } from "./strict-yaml.ts";
import { type PositionQuery, offsetOf, wantedPaths } from "./wanted.ts";

const shop = readFileSync(new URL("../../stacks/shop.yaml", import.meta.url), "utf8");
const hello = readFileSync(new URL("../../stacks/hello.yaml", import.meta.url), "utf8");

function valueOf(text: string): unknown {
  const result = parseFast(text);
  return result.ok ? result.value : `left at ${result.offset} through ${result.because}`;
}

/** Every path of a value, so that all positions can be compared. */
function pathsOf(value: unknown): PositionQuery["path"][] {
  if (typeof value !== "object" || value === null) return [[]];
  const below = Object.entries(value).flatMap(([key, child]) => {
    const step = Array.isArray(value) ? Number(key) : key;
    return pathsOf(child).map((path) => [step, ...path]);
  });
  return [[], ...below];
}

function queriesOf(value: unknown): readonly PositionQuery[] {
  return pathsOf(value).flatMap((path): PositionQuery[] => [{ path }, { path, on: "value" }]);
}

/** Asked for alone, the walk may end as soon as it comes there. */
function offsetAlone(text: string, query: PositionQuery): number {
  const wanted = wantedPaths([query]);
  locateFast(text, wanted);
  return offsetOf(wanted, query);
}

function offsetsOf(value: unknown, locate: Extract<StrictResult, { ok: true }>["locate"]): readonly number[] {
  const queries = queriesOf(value);
  const wanted = wantedPaths(queries);
  locate(wanted);
  return queries.map((query) => offsetOf(wanted, query));
}

/** The safety of the fast path: what it accepts is accepted, means the same, and stands in the same places. */
function expectSameAsStrict(text: string): boolean {
  const fast = parseFast(text);
  if (!fast.ok) return false;
  const strict = parseStrict(text);
  if (!strict.ok) throw new Error(`only the fast path accepts it: ${strict.faults[0]?.message}`);
  expect(fast.value).toStrictEqual(strict.value);
  expect(JSON.stringify(fast.value)).toBe(JSON.stringify(strict.value));
  const fastOffsets = offsetsOf(fast.value, (wanted) => locateFast(text, wanted));
  expect(fastOffsets).toEqual(offsetsOf(fast.value, strict.locate));
  expect(queriesOf(fast.value).map((query) => offsetAlone(text, query))).toEqual(fastOffsets);
  return true;
}

describe("the fast path", () => {
  it("reads the shipped stacks, to the same values as the complete parser", () => {
    expect(expectSameAsStrict(shop)).toBe(true);
    expect(expectSameAsStrict(hello)).toBe(true);
  });

  it("agrees with the complete parser on every generated document that it accepts", () => {
    let accepted = 0;
    fc.assert(
      fc.property(yamlText, (text) => {
        if (expectSameAsStrict(text)) accepted++;
      }),
      { numRuns: 6000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it("agrees with the complete parser on damaged stack files", () => {
    let accepted = 0;
    fc.assert(
      fc.property(damagedText([shop, hello]), (text) => {
        if (expectSameAsStrict(text)) accepted++;
      }),
      { numRuns: 6000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it("agrees with the complete parser on every pair of special characters wherever it may stand", () => {
    const characters = [..." !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\ta1é"];
    const frames = [
      "a: @@\n",
      "a: x@@y\n",
      "a: [@@]\n",
      "a: [1@@, b]\n",
      "a: {b: @@, c: d}\n",
      "@@: b\n",
      "a: {x@@: b}\n",
      "a:\n  - @@\n",
    ];
    const texts = frames.flatMap((frame) =>
      characters.flatMap((first) => characters.map((second) => frame.replace("@@", () => first + second))),
    );
    expect(texts.filter(expectSameAsStrict).length).toBeGreaterThan(texts.length / 4);
  });

  it.each<[string, unknown]>([
    ["a: b", { a: "b" }],
    ["a:\nb: ~\n", { a: null, b: null }],
    ["a: {b: [1, -2, 1.5], c: 'd', \"e\":true}\n", { a: { b: [1, -2, 1.5], c: "d", e: true } }],
    ["a:\n- b: c\n  d: e\n-\n- f\n", { a: [{ b: "c", d: "e" }, null, "f"] }],
    ["a: [\n    b, # c\n    d\n  ]\n", { a: ["b", "d"] }],
    [
      "kafka/orders: 100/s\nrabbitmq/queue:emails: 30d\n",
      { "kafka/orders": "100/s", "rabbitmq/queue:emails": "30d" },
    ],
    ["a: {k8s: db/keycloak-db-app#password} # b\n", { a: { k8s: "db/keycloak-db-app#password" } }],
    ['a: "0 3 * * *"\nb: ["valkey_*"]\n', { a: "0 3 * * *", b: ["valkey_*"] }],
    ["a: yes\nb: 203.0.113.10\nc: 2027-01-31\n", { a: "yes", b: "203.0.113.10", c: "2027-01-31" }],
    ['{"a": {"b":[1]},\n "c": "d\\n"}\n', { a: { b: [1] }, c: "d\n" }],
    ["---\na: b\n", { a: "b" }],
  ])("reads %j", (text, value) => {
    expect(valueOf(text)).toEqual(value);
    expect(expectSameAsStrict(text)).toBe(true);
  });

  it.each([
    "",
    "# only\n",
    "a",
    "- a\n",
    "a: b: c\n",
    "a: b\n  c\n",
    "a: b\na: c\n",
    "a: {b: c, b: d}\n",
    "a: &b c\n",
    "a: *b\n",
    "a: !b c\n",
    "a: |\n  b\n",
    "a: >\n  b\n",
    "a: 'b''c'\n",
    'a: "\\x41"\n',
    'a: "\\u202e"\n',
    'a: "\\ud800"\n',
    "a: 012\n",
    "a: 0x1F\n",
    "a: 0o17\n",
    "a: 1e3\n",
    "a: .inf\n",
    "a: 1_000\n",
    "a: 1:30\n",
    "a: 12345678901234567890\n",
    "1: a\n",
    "true: a\n",
    "~: a\n",
    "<<: a\n",
    '"__proto__": a\n',
    "constructor: a\n",
    "toString: a\n",
    "prototype: a\n",
    "a:\tb\n",
    "a: b\tc\n",
    "\ta: b\n",
    " a: b\n",
    "a:\n  b: c\n d: e\n",
    "a: [b\n",
    "a: [b]]\n",
    "a: {b}\n",
    "a: [b: c]\n",
    "a: [,]\n",
    "a: [-]\n",
    "a: {b: -, c: d}\n",
    "a: [b,,c]\n",
    "a: 'b\n  c'\n",
    "a: b\n---\nc: d\n",
    "a: b\n...\n",
    "%YAML 1.2\n---\na: b\n",
    "? a\n: b\n",
    "a: - b\n",
    "- - a\n",
    "a: @b\n",
    "a: `b`\n",
    "a: %b\n",
    "a: \u2028b\n",
  ])("gives up on %j", (text) => {
    expect(parseFast(text).ok).toBe(false);
  });

  it("gives up at 33 levels and not at 32", () => {
    const nested = (levels: number) => `a: ${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}\n`;
    expect(parseFast(nested(32)).ok).toBe(true);
    expect(parseFast(nested(33)).ok).toBe(false);
    expect(parseStrict(nested(32)).ok).toBe(true);
    expect(parseStrict(nested(33)).ok).toBe(false);
  });

  it("says where it gave up", () => {
    expect(parseFast("a: b\nc: |\n  d\n")).toEqual({
      ok: false,
      offset: 8,
      because: "a value that begins with a special character",
    });
  });
});
