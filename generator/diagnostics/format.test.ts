import { describe, expect, it } from "vitest";
import { type DiagnosticCode, diagnosticCatalog } from "./codes.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { type DiagnosticFormat, formatDiagnostics } from "./format.ts";

const formats: readonly DiagnosticFormat[] = ["text", "json", "github", "sarif", "junit"];

function diagnostic(
  code: DiagnosticCode,
  place: string,
  message = "is wrong: change it",
  path = "/links/web",
): Diagnostic {
  const [file = "", line, column] = place.split(":");
  const severity = code.startsWith("W-") ? "warning" : "error";
  return { code, severity, message, path, at: { file, line: Number(line), column: Number(column) } };
}

const several = [
  diagnostic("W-UNLINKED", "stacks/shop.yaml:9:3"),
  diagnostic("E-REF", "stacks/shop.yaml:6:22"),
  diagnostic("E-REF", "stacks/hello.yaml:10:1"),
  diagnostic("E-YAML", "stacks/shop.yaml:6:22", "is no YAML: quote it", ""),
  diagnostic("E-ACCESS", "stacks/shop.yaml:6:22"),
  diagnostic("E-REF", "stacks/shop.yaml:6:5"),
];

const hostileMessage = 'a "b" & <c> ]]> 100%\nd\r::error::e, f:g \u001b[31m\u202e \u0000 \ud800 é';
const hostile = diagnostic("E-DUP", "stacks/a, b&c<d>%.yaml:1:2", hostileMessage, '/links/<x>&"y"');

/**
 * Checks that tags close in order and that nothing is unescaped, and returns the names of the elements. Not
 * a whole XML parser, but strict about what the format writes.
 */
function elementsOf(xml: string): readonly string[] {
  const open: string[] = [];
  const names: string[] = [];
  const body = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, "");
  expect(body).not.toBe(xml);
  const rest = body.replace(
    /<(\/?)([a-z-]+)((?: [a-z]+="[^"<>]*")*)(\/?)>/g,
    (_, close, name, attributes, single) => {
      expect(attributes).not.toMatch(/&(?!(?:amp|lt|gt|quot|#9|#10);)/);
      if (close === "/") expect(open.pop()).toBe(name);
      else names.push(name);
      if (close === "" && single === "") open.push(name);
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!(?:amp|lt|gt|quot|#9|#10);)/);
  expect(xml).not.toMatch(/[\0-\x08\x0b-\x1f\u202e\ufffe\uffff]|[\ud800-\udfff]/u);
  return names;
}

describe("text", () => {
  it("is one line per diagnostic in the order of files, lines, columns and codes, and the counts", () => {
    expect(formatDiagnostics(several, "text")).toBe(
      [
        "stacks/hello.yaml:10:1: error E-REF /links/web: is wrong: change it",
        "stacks/shop.yaml:6:5: error E-REF /links/web: is wrong: change it",
        "stacks/shop.yaml:6:22: error E-ACCESS /links/web: is wrong: change it",
        "stacks/shop.yaml:6:22: error E-REF /links/web: is wrong: change it",
        "stacks/shop.yaml:6:22: error E-YAML: is no YAML: quote it",
        "stacks/shop.yaml:9:3: warning W-UNLINKED /links/web: is wrong: change it",
        "5 errors, 1 warning\n",
      ].join("\n"),
    );
    expect(formatDiagnostics([], "text")).toBe("0 errors, 0 warnings\n");
  });

  it("keeps hostile text on its line and away from the terminal", () => {
    const [line, count, ...rest] = formatDiagnostics([hostile], "text").split("\n");
    expect(line).toContain("100%\\nd\\u000d::error::e, f:g \\u001b[31m\\u202e \\u0000 \\ud800 é");
    expect(count).toBe("1 error, 0 warnings");
    expect(rest).toEqual([""]);
  });

  it("has colours only when asked", () => {
    const colored = formatDiagnostics(several, "text", { color: true });
    expect(colored).toContain("\u001b[31merror E-REF\u001b[39m");
    expect(colored).toContain("\u001b[33mwarning W-UNLINKED\u001b[39m");
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(formatDiagnostics(several, "text"));
    for (const format of formats.slice(1)) {
      expect(formatDiagnostics(several, format, { color: true })).toBe(formatDiagnostics(several, format));
    }
  });
});

describe("json", () => {
  it("has the version of the format, the counts and every diagnostic", () => {
    expect(JSON.parse(formatDiagnostics(several.slice(0, 2), "json"))).toEqual({
      format_version: "1.0",
      valid: false,
      error_count: 1,
      warning_count: 1,
      diagnostics: [
        {
          severity: "error",
          code: "E-REF",
          message: "is wrong: change it",
          path: "/links/web",
          file: "stacks/shop.yaml",
          line: 6,
          column: 22,
        },
        {
          severity: "warning",
          code: "W-UNLINKED",
          message: "is wrong: change it",
          path: "/links/web",
          file: "stacks/shop.yaml",
          line: 9,
          column: 3,
        },
      ],
    });
  });

  it("is valid with warnings alone, and keeps hostile text", () => {
    expect(JSON.parse(formatDiagnostics(several.slice(0, 1), "json"))).toMatchObject({
      valid: true,
      warning_count: 1,
    });
    expect(JSON.parse(formatDiagnostics([hostile], "json"))).toMatchObject({
      diagnostics: [{ message: hostileMessage }],
    });
  });
});

describe("github", () => {
  it("is one workflow command per diagnostic", () => {
    expect(formatDiagnostics(several.slice(0, 2), "github")).toBe(
      "::error file=stacks/shop.yaml,line=6,col=22,title=E-REF::is wrong: change it\n" +
        "::warning file=stacks/shop.yaml,line=9,col=3,title=W-UNLINKED::is wrong: change it\n",
    );
    expect(formatDiagnostics([], "github")).toBe("");
  });

  it("lets no text end the command or begin another", () => {
    const output = formatDiagnostics([hostile], "github");
    expect(output.split("\n")).toHaveLength(2);
    expect(output).not.toContain("\r");
    expect(output).toContain("file=stacks/a%2C b&c<d>%25.yaml,line=1,col=2,title=E-DUP::");
    expect(output).toContain("100%25%0Ad%0D::error::e, f:g");
    expect(output.match(/^::(?:error|warning) /gm)).toHaveLength(1);
  });
});

describe("sarif", () => {
  it("has a rule for each code and a place for each result", () => {
    const log = JSON.parse(formatDiagnostics([...several, hostile], "sarif"));
    expect(log).toMatchObject({ version: "2.1.0", $schema: expect.stringContaining("sarif-2.1.0") });
    const [run] = log.runs;
    expect(run.columnKind).toBe("utf16CodeUnits");
    const rules: { id: string; shortDescription: { text: string } }[] = run.tool.driver.rules;
    expect(rules.map(({ id }) => id)).toEqual(Object.keys(diagnosticCatalog).sort());
    expect(run.results).toHaveLength(several.length + 1);
    for (const { ruleId, ruleIndex, level, locations } of run.results) {
      expect(rules[ruleIndex]?.id).toBe(ruleId);
      expect(level).toBe(ruleId.startsWith("W-") ? "warning" : "error");
      expect(locations[0].physicalLocation.artifactLocation.uri).toMatch(/^[\w./%-]+$/);
      expect(locations[0].physicalLocation.region.startLine).toBeGreaterThan(0);
    }
    expect(run.results[0].message.text).toBe(hostileMessage);
    expect(run.results[0].locations[0].physicalLocation.artifactLocation.uri).toBe(
      "stacks/a%2C%20b%26c%3Cd%3E%25.yaml",
    );
  });
});

describe("junit", () => {
  it("has a case for each diagnostic and counts the failures", () => {
    const xml = formatDiagnostics(several, "junit");
    expect(elementsOf(xml).filter((name) => name === "testcase")).toHaveLength(6);
    expect(elementsOf(xml).filter((name) => name === "failure")).toHaveLength(5);
    expect(xml).toContain('<testsuites tests="6" failures="5" errors="0">');
  });

  it("is well-formed with hostile text, and a passed case without diagnostics", () => {
    expect(elementsOf(formatDiagnostics([hostile], "junit"))).toEqual([
      "testsuites",
      "testsuite",
      "testcase",
      "failure",
    ]);
    expect(formatDiagnostics([hostile], "junit")).toContain("]]&gt; 100%&#10;d\\u000d::error::e");
    expect(elementsOf(formatDiagnostics([], "junit"))).toEqual(["testsuites", "testsuite", "testcase"]);
  });
});

describe.each(formats)("%s", (format) => {
  it("does not depend on the order of the diagnostics", () => {
    const expected = formatDiagnostics(several, format);
    expect(formatDiagnostics(several.toReversed(), format)).toBe(expected);
    expect(formatDiagnostics([...several.slice(3), ...several.slice(0, 3)], format)).toBe(expected);
  });
});
