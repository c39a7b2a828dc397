import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { load } from "../generate.ts";
import { today } from "./request.ts";
import { engine, formatOf, report, stackFiles } from "./stacks.ts";
import { ExitCode } from "./terminal.ts";

export async function runValidate(
  names: readonly string[],
  options: { format: string; strict?: boolean },
): Promise<number> {
  const format = formatOf(options.format);
  const diagnostics: Diagnostic[] = [];
  for (const path of stackFiles(engine.fs, names))
    diagnostics.push(...(await load(engine, path, undefined, today())).diagnostics);
  report(diagnostics, format);
  const failing = diagnostics.filter(({ severity }) => severity === "error" || options.strict === true);
  return failing.length > 0 ? ExitCode.findings : ExitCode.ok;
}
