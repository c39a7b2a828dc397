import { diagnosticCatalog } from "./codes.ts";
import type { Diagnostic } from "./diagnostic.ts";

function rule(code: Diagnostic["code"]) {
  const { title, cause, fix } = diagnosticCatalog[code];
  return {
    id: code,
    shortDescription: { text: title },
    fullDescription: { text: cause },
    help: { text: fix },
    defaultConfiguration: { level: code.startsWith("W-") ? "warning" : "error" },
  };
}

function result({ code, severity, message, at, path }: Diagnostic, rules: readonly string[]) {
  return {
    ruleId: code,
    ruleIndex: rules.indexOf(code),
    level: severity,
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: at.file.split("/").map(encodeURIComponent).join("/") },
          region: { startLine: at.line, startColumn: at.column },
        },
        ...(path === "" ? {} : { logicalLocations: [{ fullyQualifiedName: path }] }),
      },
    ],
  };
}

/** SARIF 2.1.0, which code hosts show beside the changed lines. Every code of the catalog is a rule of the tool. */
export function formatSarif(diagnostics: readonly Diagnostic[]): string {
  const codes = (Object.keys(diagnosticCatalog) as (keyof typeof diagnosticCatalog)[]).sort();
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "topogate", rules: codes.map(rule) } },
        columnKind: "utf16CodeUnits",
        results: diagnostics.map((diagnostic) => result(diagnostic, codes)),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
