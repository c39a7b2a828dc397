import { spawnSync } from "node:child_process";
import { expand } from "#runtime/stack-agent/command/expand";
import { parseScript } from "#runtime/stack-agent/command/grammar";
import { parseCommand, variablesOf } from "#runtime/stack-agent/command/parse";
import { previewCommand } from "#runtime/stack-agent/command/preview";
import { CommandRefused } from "#runtime/stack-agent/command/refused";
import { literalOf } from "#runtime/stack-agent/command/script";
import type { ParsedCommand, ParsedStep, Word } from "#runtime/stack-agent/command/script";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createObserver } from "../../test/harness/observer.ts";
import { drawnData, runTestOn } from "../../test/harness/run-test.ts";
import type { DrawnData } from "../../test/harness/run-test.ts";

const STACK = `apiVersion: topology/v1
stack: stack
components:
  cnpg: {namespace: db, databases: {app_db: {username: app_user}}}
  valkey: {namespace: cache}
links:
  mcp: {stack_agent: read, cnpg: read, valkey: read}
`;

let drawn: DrawnData;
beforeAll(async () => {
  drawn = await drawnData(STACK);
});

function wordsIn(text: string): readonly Word[] {
  return parseScript(text).statements.flatMap(({ pipeline }) => pipeline.flatMap(({ words }) => words));
}

describe("the grammar", () => {
  it.each([
    ["a b  c", ["b", "c"]],
    ["a 'b c' \"d e\" f'g'\"h\"i", ["b c", "d e", "fghi"]],
    ["a '' \"\"", ["", ""]],
    ["a 'x\"y' \"x'y\"", ['x"y', "x'y"]],
    ['a "\\"" "\\\\" "\\$x" "\\`" "\\n"', ['"', "\\", "$x", "`", "\\n"]],
    ["a 'a\\b' '$x' '`x`' '!x' '*'", ["a\\b", "$x", "`x`", "!x", "*"]],
    ["a {{x}} '{{print $1}}' \"{{\"", ["{x}", "{print $1}", "{{"]],
    ["a x=y --k=v -v a.b/c:d,e%f+g@h^i", ["x=y", "--k=v", "-v", "a.b/c:d,e%f+g@h^i"]],
    ["a != =", ["!=", "="]],
    ["a\tb", ["b"]],
    ["a 'é日本 😀'", ["é日本 😀"]],
  ])("S24: %s", (text, expected) => {
    expect(wordsIn(text).map(literalOf)).toEqual(expected);
  });

  it("S24: statements, pipelines, captures and variables", () => {
    const { statements, tokens } = parseScript(
      `pods=$(k get -n {ns} | grep -c X); test "$pods" -gt 0 && a || b;`,
    );
    expect(
      statements.map(({ after, capture, pipeline }) => [after, capture, pipeline.map(({ name }) => name)]),
    ).toEqual([
      [";", "pods", ["k", "grep"]],
      [";", null, ["test"]],
      ["&&", null, ["a"]],
      ["||", null, ["b"]],
    ]);
    expect(tokens.map(({ variable }) => variable)).toEqual(["ns"]);
    expect(statements[1]?.pipeline[0]?.words[0]?.parts).toEqual([{ is: "capture", name: "pods" }]);
  });

  it("S24: a variable of the environment stands plainly in front of the name", () => {
    const [command] = parseScript("A=x B='y z' C={v}w D= a b=c").statements[0]?.pipeline ?? [];
    expect(command?.environment.map(({ name, word }) => [name, word.parts])).toEqual([
      ["A", [{ is: "text", text: "x" }]],
      ["B", [{ is: "text", text: "y z" }]],
      [
        "C",
        [
          { is: "variable", name: "v" },
          { is: "text", text: "w" },
        ],
      ],
      ["D", []],
    ]);
    expect(command?.words.map(literalOf)).toEqual(["b=c"]);
    for (const text of ["'A=x' b", '"A"=x b', "A'='x b", "{v}=x b"]) {
      expect(() => parseScript(text), text).toThrow(CommandRefused);
    }
  });

  it("S24: a refusal says what and where", () => {
    expect(() => parseScript("psql > x")).toThrow("output cannot be redirected (at character 6)");
    expect(() => parseScript("a 'b")).toThrow("a quote is not closed (at character 3)");
    expect(() => parseScript("a \u200b")).toThrow(
      "this character is not known outside of quotes (at character 3)",
    );
  });

  it("S24: no text makes it slow, endless, or fail in another way", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 5 }),
      fc.constantFrom(
        "'",
        '"',
        "\\",
        "$",
        "$(",
        ")",
        "`",
        "|",
        "||",
        "&&",
        "&",
        ";",
        "{",
        "}",
        "{{",
        "}}",
        "{x}",
        "=",
        " ",
        "a",
        "a=$(",
        "-",
        "psql",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const started = performance.now();
        try {
          parseCommand(pieces.join(""), drawn.rules);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandRefused);
        }
        expect(performance.now() - started).toBeLessThan(2000);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Every word of a command, in order, as the shell of the system would hand it over. */
function wordsOfShell(text: string): readonly string[] {
  const script = `printf '%s\\0' ${text.slice(text.indexOf(" ") + 1)}`;
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };
  const { stdout, status } = spawnSync("/bin/bash", ["--norc", "-c", script], {
    encoding: "utf8",

    env,
  });
  expect(status).toBe(0);
  return stdout.split("\0").slice(0, -1);
}

describe("beside the shell of the system", () => {
  it("S24: whatever is read here as words, a shell reads as the same words", () => {
    const piece = fc.oneof(
      {
        arbitrary: fc.constantFrom("a", "b", "é", "1", ".", "/", "-", "=", ",", "%", "@", "^", ":", "+"),
        weight: 3,
      },
      fc.constantFrom(" ", "  ", "\t"),
      fc
        .string({
          unit: fc.constantFrom(
            "x",
            " ",
            '"',
            "$",
            "`",
            "\\",
            "*",
            "!",
            "~",
            "#",
            "&",
            ";",
            "|",
            "<",
            "(",
            ")",
            "日",
          ),
          maxLength: 5,
        })
        .map((inner) => `'${inner}'`),
      fc
        .string({
          unit: fc.constantFrom(
            "x",
            " ",
            "'",
            '\\"',
            "\\\\",
            "\\$",
            "\\`",
            "*",
            "\\n",
            "~",
            "#",
            "&",
            ";",
            "|",
            "<",
            "(",
            ")",
            "日",
          ),
          maxLength: 5,
        })
        .map((inner) => `"${inner}"`),
    );
    let compared = 0;
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
        const text = `command x ${pieces.join("")}`;
        let words;
        try {
          words = wordsIn(text);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandRefused);
          return;
        }
        compared += 1;
        expect(words.map(literalOf)).toEqual(wordsOfShell(text));
      }),
      { numRuns: 400 },
    );
    expect(compared).toBeGreaterThan(150);
  });
});

/** Values that have broken other languages, and any others. */
const VALUE = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom(
    "",
    " ",
    "a b",
    "'; touch x; '",
    '"; touch x; "',
    "$(touch x)",
    "`touch x`",
    "${x}",
    "{password}",
    "{{x}}",
    "$pods",
    "a\nb",
    "a\0b",
    "-c",
    "--help",
    "&& x",
    "| x",
    "x=y",
    "\\",
    "'",
    '"',
    "*",
    "~",
    "日本",
  ),
);

function programIn(command: ParsedCommand): Extract<ParsedStep, { is: "program" }> {
  const step = command.statements[0]?.pipeline[0];
  if (step?.is !== "program") throw new Error("no program");
  return step;
}

describe("S23: a value never changes what a command is", () => {
  it("parsing does not depend on values, and every word stays one word that holds its value", () => {
    const templates = [
      "x {a}",
      "x {a}{b}",
      "x 'p{a}q' \"r{b}s\" t{a}",
      "x --k={a} -v {b} {{a}}",
      'x "{a} {b}"',
      "A={a} x {b} | grep {a}",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...templates), VALUE, VALUE, (text, a, b) => {
        const values = { variable: (name: string) => (name === "a" ? a : b), capture: () => "" };
        const words = wordsIn(text);
        const expanded = words.map((word) => expand(word, values));
        expect(expanded).toHaveLength(words.length);
        words.forEach((word, at) => {
          const parts = word.parts.map((part) =>
            part.is === "text" ? part.text : part.is === "variable" ? values.variable(part.name) : "",
          );
          expect(expanded[at]).toBe(parts.join(""));
        });
      }),
      { numRuns: 1000 },
    );
  });

  it("the program, its flags and their number are those of the text, whatever was drawn", async () => {
    const observer = createObserver();
    observer.replace("redis-cli", 'for word in "$@"; do printf "<%s>" "$word"; done');
    const text = "redis-cli -h {host} GET x{note}y{note}";
    const plain = programIn(parseCommand(text, drawn.rules)).readings[0];
    expect(plain?.options.map(({ flag }) => flag.names[0])).toEqual(["-h"]);
    try {
      await fc.assert(
        fc.asyncProperty(VALUE, async (value) => {
          const components = drawn.data.components.map((component) =>
            component.name === "valkey" ? { ...component, config: { note: value } } : component,
          );
          const tests = runTestOn(
            { ...drawn, data: { ...drawn.data, components } },
            { folders: [observer.folder] },
          );
          const { data } = await tests.run({ source: "valkey", command: text });
          const [row] = (data as { results: readonly Readonly<Record<string, unknown>>[] }).results;
          if (row?.["status"] === "refused") {
            expect(row["reason"]).toMatch(/^(value|unresolved)$/);
            // Only what cannot stand in an argument is refused.
            expect(value === "" || /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/u.test(value)).toBe(true);
            return;
          }
          expect(row).toMatchObject({ status: "passed" });
          const shown = String(row?.["output"]);
          expect(shown.startsWith("<-e><--no-auth-warning><-h><valkey.cache.svc.cluster.local><GET><x")).toBe(
            true,
          );
          // One argument holds the value twice; its own angle brackets are no boundary.
          if (!/[<>]/.test(value)) expect(shown.split("><")).toHaveLength(6);
        }),
        { numRuns: 60 },
      );
    } finally {
      observer.remove();
    }
  });

  it("a value that would make a flag is refused where a flag could stand", async () => {
    const components = drawn.data.components.map((component) =>
      component.name === "cnpg" ? { ...component, config: { note: "-o/tmp/x" } } : component,
    );
    const tests = runTestOn({ ...drawn, data: { ...drawn.data, components } });
    const command = "psql -h {host} -c {note}";
    const row = { source: "cnpg", target: "sub_components" };
    expect((await tests.run({ ...row, command })).data).toMatchObject({
      results: [{ reason: "value", message: expect.stringContaining('begins with "-"') }],
    });
    await expect(tests.run({ ...row, command: `${command} {note}` })).rejects.toMatchObject({
      reason: "not_allowed",
    });
  });
});

describe("the preview", () => {
  const values = new Map([
    ["host", "db.example.com"],
    ["note", "two words"],
    ["password", "***"],
  ]);

  it.each([
    [
      "PGPASSWORD={password} psql -h {host} -c 'SELECT 1'",
      "PGPASSWORD=*** psql -h db.example.com -c 'SELECT 1'",
    ],
    ['psql -h {host} -c "{note}"', 'psql -h db.example.com -c "two words"'],
    ["psql -h {host} -c {note}", "psql -h db.example.com -c 'two words'"],
    ["psql -h {host} -c '{{x}} {hots}'", "psql -h db.example.com -c '{x} {hots}'"],
  ])("S25: %s", (text, shown) => {
    expect(previewCommand(parseCommand(text, drawn.rules), values)).toBe(shown);
  });

  it("S25: variables are named once each", () => {
    const command = parseCommand("psql -h {host} -p {port} -c '{host} {{x}} {a_1}'", drawn.rules);
    expect(variablesOf(command)).toEqual(["a_1", "host", "port"]);
  });

  it("S25: a dry run starts nothing, and says for each row what a run would be refused for", async () => {
    const observer = createObserver();
    const tests = runTestOn(drawn, { folders: [observer.folder] });
    const preview = async (command: string): Promise<unknown> =>
      (await tests.run({ source: "cnpg", target: "sub_components", command, dry_run: true })).data;
    expect(await preview("psql -h {host} -c 'DROP TABLE x'")).toEqual({
      status: "dry_run",
      results: [
        {
          name: "app_db",
          command: "psql -h cluster-db-rw.db.svc.cluster.local -c 'DROP TABLE x'",
          refused: ["command: a drop statement is not a query"],
        },
      ],
    });
    expect(await preview("psql -h {hots} -c 'TABLE x'")).toEqual({
      status: "dry_run",
      results: [{ name: "app_db", command: "psql -h {hots} -c 'TABLE x'", unresolved: ["hots"] }],
    });
    expect(observer.started()).toEqual([]);
    observer.remove();
  });
});
