import type { DiagnosticCode } from "../diagnostics/codes.ts";
import type { Diagnostic, Finding } from "../diagnostics/diagnostic.ts";
import type { Path } from "../model/topology.ts";
import { pathText } from "../diagnostics/path-text.ts";
import type { Report } from "../diagnostics/report.ts";
import type { Source } from "./source.ts";
import { writtenPath } from "./written.ts";

/** More errors than anybody reads at once; the search for what was meant costs time for each. */
const MOST_ERRORS = 200;

/** Ends a load early: the findings so far are reported. */
export class TooManyErrors extends Error {}

export interface Findings {
  readonly report: Report;
  /** For an environment: a path of the base stands in the environment when the environment writes it. */
  within(environment: string): Report;
  all(): readonly Finding[];
  hasErrors(): boolean;
}

function isError(code: DiagnosticCode): boolean {
  return code.startsWith("E-");
}

/** Two findings with one identity are one; an object may lack several keys, which only the message tells. */
function identity(code: DiagnosticCode, path: Path, message: string): string {
  return JSON.stringify([code, path, code === "E-MISSING" ? message : ""]);
}

/** Gathers findings, each once: an environment repeats what is wrong with the base. */
export function gatherFindings(root: unknown): Findings {
  const found = new Map<string, Finding>();
  let errors = 0;
  const report: Report = (code, message, path, on) => {
    const written = writtenPath(root, path);
    const key = identity(code, written, message);
    if (found.has(key)) return;
    found.set(key, { code, message, path: written, ...(on === undefined ? {} : { on }) });
    if (isError(code)) errors += 1;
    if (errors < MOST_ERRORS) return;
    found.set("", {
      code: "E-LIMIT",
      message: `stopped after ${MOST_ERRORS} errors: correct these first`,
      path: [],
    });
    throw new TooManyErrors();
  };
  return {
    report,
    within: (environment) => (code, message, path, on) => {
      const inBase = path[0] === "environments" ? path.slice(2) : path;
      if (!isError(code) && found.has(identity(code, writtenPath(root, inBase), message))) return;
      report(code, message, path[0] === "environments" ? path : ["environments", environment, ...path], on);
    },
    all: () => [...found.values()],
    hasErrors: () => errors > 0,
  };
}

/** A secret in place of a value is one fault, whatever else the value is not. */
function withoutFollowOns(findings: readonly Finding[]): readonly Finding[] {
  const secrets = new Set(
    findings.filter(({ code }) => code === "E-SECRET-PLAINTEXT").map(({ path }) => pathText(path)),
  );
  return findings.filter(({ code, path }) => code === "E-SECRET-PLAINTEXT" || !secrets.has(pathText(path)));
}

/** Findings with their places, in the order of the file. */
export async function locate(findings: readonly Finding[], source: Source): Promise<readonly Diagnostic[]> {
  if (findings.length === 0) return [];
  const kept = withoutFollowOns(findings);
  const positions = await source.positionsOf(kept);
  const diagnostics = kept.flatMap(({ code, message, path }, index): Diagnostic[] => {
    const at = positions[index];
    const severity = isError(code) ? "error" : "warning";
    return at === undefined ? [] : [{ code, severity, message, at, path: pathText(path) }];
  });
  return diagnostics.sort(
    (a, b) => a.at.line - b.at.line || a.at.column - b.at.column || (a.code < b.code ? -1 : 1),
  );
}
