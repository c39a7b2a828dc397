import { spawnSync } from "node:child_process";
import { readBuiltin, runBuiltin } from "#runtime/stack-agent/command/builtin";
import type { BuiltinResult } from "#runtime/stack-agent/command/builtin";
import { parseScript } from "#runtime/stack-agent/command/grammar";
import { lineMatcher } from "#runtime/stack-agent/command/line-pattern";
import { CommandRefused } from "#runtime/stack-agent/command/refused";
import { literalOf } from "#runtime/stack-agent/command/script";
import type { Builtin, ParsedStep } from "#runtime/stack-agent/command/script";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

const quote = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;

/** Runs one of our own commands as it is written, on a text. */
function ours(text: string, input: string): BuiltinResult {
  const raw = parseScript(text).statements[0]?.pipeline[0];
  if (raw === undefined) throw new Error("no command");
  const step = readBuiltin(raw.name as Builtin, raw, 1) as Extract<ParsedStep, { is: "builtin" }>;
  return runBuiltin(
    step,
    raw.words.map((word) => literalOf(word) ?? ""),
    input,
  );
}

/** The program of the system, with the same words. */
function theirs(program: string, args: readonly string[], input: string): BuiltinResult {
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };
  const { status, stdout } = spawnSync(program, [...args], { input, encoding: "utf8", env });
  return { exitCode: status ?? -1, stdout };
}

const LINES = [
  "Running",
  "kafka-0   1/1   Running   0   5d",
  "Pending",
  "",
  "a.b*c",
  "AB ab",
  "xx[y]",
  "-x",
  "ß é 日本",
  "\\d",
  "a+b|c(d)",
];
const TEXT = `${LINES.join("\n")}\n`;

describe("grep is the grep of the system", () => {
  it.each([
    "grep Running",
    "grep -c Running",
    "grep -q Running",
    "grep -q Stopped",
    "grep -c Stopped",
    "grep -v Running",
    "grep -vc Running",
    "grep -i RUNNING",
    "grep -ic 'ab'",
    "grep '^*'",
    "grep '^*x'",
    "grep -F 'a.b*c'",
    "grep -Fi 'A.B*C'",
    "grep 'a.b*c'",
    "grep '^Run'",
    "grep 'ing$'",
    "grep '^$'",
    "grep ''",
    "grep -E 'Run|Pend'",
    "grep -E '^(Run|Pend)(n?ing)?$'",
    "grep -E '[0-9]/[0-9] +Running'",
    "grep '[[:digit:]]'",
    "grep '[^[:alpha:] ]'",
    "grep '[]x]'",
    "grep '[^]x]'",
    "grep '[a-c]+'",
    "grep -E '[a-c]+\\|'",
    "grep 'a\\.b\\*c'",
    "grep '\\[y\\]'",
    "grep -E 'x+\\['",
    "grep 'é 日'",
    "grep '*c'",
    "grep 'a^b'",
    "grep -E '(a|b)*\\+'",
  ])("S24: %s", (text) => {
    const words = parseScript(text).statements[0]?.pipeline[0]?.words ?? [];
    expect(ours(text, TEXT)).toEqual(
      theirs(
        "grep",
        words.map((word) => literalOf(word) ?? ""),
        TEXT,
      ),
    );
  });

  it("S24: for patterns that nobody thought of, whatever is not refused", () => {
    const character = fc.constantFrom(
      "a",
      "b",
      "c",
      ".",
      "*",
      "+",
      "?",
      "|",
      "(",
      ")",
      "[",
      "]",
      "^",
      "$",
      "-",
      "\\",
      " ",
    );
    const pattern = fc
      .array(character, { minLength: 1, maxLength: 8 })
      .map((characters) => characters.join(""));
    const line = fc.array(fc.constantFrom("a", "b", "c", "-", ".", " ", "[", "]", "(", "+"), {
      maxLength: 8,
    });
    const lines = fc.array(
      line.map((characters) => characters.join("")),
      { minLength: 1, maxLength: 6 },
    );
    let compared = 0;
    fc.assert(
      fc.property(pattern, lines, fc.boolean(), (text, input, extended) => {
        let matches;
        try {
          matches = lineMatcher(text, { extended, ignoreCase: false });
        } catch (error) {
          expect(error).toBeInstanceOf(CommandRefused);
          return;
        }
        const real = theirs("grep", [...(extended ? ["-E"] : []), "-n", "--", text], `${input.join("\n")}\n`);
        // A pattern that the system's grep cannot read is one that we need not read as it does.
        if (real.exitCode === 2) return;
        compared += 1;
        const found = input.flatMap((each, at) => (matches(each) ? [`${at + 1}:${each}`] : []));
        expect(real.stdout.split("\n").slice(0, -1)).toEqual(found);
      }),
      { numRuns: 600 },
    );
    expect(compared).toBeGreaterThan(150);
  });

  it("S24: no pattern makes a search slow", () => {
    const text = `${"a".repeat(250_000)}\n`;
    for (const pattern of [
      "(a*)*b",
      "(a|a)*b",
      "(a|aa)+$b",
      ".*.*.*.*.*.*.*.*b",
      "(((a+)+)+)+b",
      "a?".repeat(60) + "a".repeat(60) + "b",
    ]) {
      const started = performance.now();
      try {
        ours(`grep -E ${quote(pattern)}`, text);
      } catch (error) {
        expect(error).toBeInstanceOf(CommandRefused);
      }
      expect(performance.now() - started, pattern).toBeLessThan(3000);
    }
  });
});

describe("test is the test of the system", () => {
  it("S24: for every operator and any two words", () => {
    const word = fc.oneof(
      fc.constantFrom("", "0", "1", "-1", "10", "+5", "07", " 3 ", "x", "-n", "=", "9999999999"),
      fc.string({ maxLength: 4 }).filter((text) => /^[\x20-\x7e]*$/.test(text)),
    );
    const operator = fc.constantFrom("=", "!=", "-eq", "-ne", "-gt", "-ge", "-lt", "-le");
    fc.assert(
      fc.property(word, operator, word, (a, by, b) => {
        const mine = ours(
          `test ${[a, by, b].map((text) => quote(text.replaceAll("{", "(").replaceAll("}", ")"))).join(" ")}`,
          "",
        );
        const args = [a, by, b].map((text) => text.replaceAll("{", "(").replaceAll("}", ")"));
        expect(mine.exitCode, JSON.stringify([a, by, b])).toBe(theirs("/usr/bin/test", args, "").exitCode);
      }),
      { numRuns: 300 },
    );
  });

  it.each(["test x", "test ''", "test -n x", "test -n ''", "test -z x", "test -z ''"])("S24: %s", (text) => {
    const words = parseScript(text).statements[0]?.pipeline[0]?.words ?? [];
    expect(ours(text, "").exitCode).toBe(
      theirs(
        "/usr/bin/test",
        words.map((word) => literalOf(word) ?? ""),
        "",
      ).exitCode,
    );
  });
});

describe("wc and head are those of the system", () => {
  it.each(["", "one\n", "one\ntwo\n", "\n\n\n", TEXT])("S24: of %j", (input) => {
    expect(ours("wc -l", input)).toEqual(theirs("wc", ["-l"], input));
    for (const count of ["0", "1", "3", "9999"]) {
      expect(ours(`head -n ${count}`, input)).toEqual(theirs("head", ["-n", count], input));
      expect(ours(`head -n${count}`, input)).toEqual(theirs("head", ["-n", count], input));
    }
    expect(ours("head -2", input)).toEqual(theirs("head", ["-n", "2"], input));
    expect(ours("head", input)).toEqual(theirs("head", [], input));
  });
});
