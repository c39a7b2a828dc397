import { readFileSync } from "node:fs";
import type { OpenRules } from "#runtime/rules";
import type { CompileCondition } from "#runtime/rules/condition";
import { parseRules } from "#runtime/rules/document";
import { createEvaluator } from "#runtime/rules/evaluate";
import type { Evaluator, ReadyRule } from "#runtime/rules/evaluate";
import type { Rule } from "#runtime/rules/document";
import { isOpen } from "#runtime/rules/window";
import { enforceRules, hideTools, stripChangeRef } from "#runtime/rules/stage";
import { StartError } from "#runtime/start-error";

/** Where the rules stand, and what their conditions are compiled with, if any has one. */
export interface RuleSource {
  readonly folder: URL;
  readonly files: readonly string[];
  readonly compile?: CompileCondition;
}

function textOf(folder: URL, file: string): string {
  try {
    return readFileSync(new URL(file, folder), "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new StartError(`governance/${file} cannot be read (${code}): generate again, or mount it`);
  }
}

function demandTimezone({ window }: Rule, where: string): void {
  try {
    if (window !== undefined) isOpen(window, new Date());
  } catch {
    throw new StartError(`${where}: there is no time zone ${window?.timezone}`);
  }
}

export function openEvaluator(
  { folder, files, compile }: RuleSource,
  stack: { readonly name: string; readonly env: string | null },
): { readonly evaluator: Evaluator; readonly files: readonly { file: string; hash: string }[] } {
  const parsed = files.map((file) => parseRules(file, textOf(folder, file)));
  const rules = parsed.flatMap(({ rules: own }) =>
    own.map((rule): ReadyRule => {
      const where = `governance/${rule.file}:${rule.line}: rule ${rule.id}`;
      demandTimezone(rule, where);
      if (rule.when === undefined) return { ...rule, condition: undefined };
      if (compile === undefined)
        throw new StartError(`${where} has a condition that nothing can evaluate: generate again`);
      return { ...rule, condition: compile(rule.when, where) };
    }),
  );
  return {
    evaluator: createEvaluator(parsed, rules, stack),
    files: parsed.map(({ file, hash }) => ({ file, hash })),
  };
}

function engineUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new StartError("OPA_URL must be an http or https URL without a user in it");
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** The rules that the generated registry names, to be opened at the start. */
export function rulesIn(source: RuleSource): OpenRules {
  return ({ stack, environment, opaUrl }) => {
    const facts = { name: stack, env: environment };
    const { evaluator, files } = openEvaluator(source, facts);
    const hides = (tool: string): boolean =>
      evaluator
        .rulesOf(tool)
        .some((rule) => rule.effect === "deny" && rule.condition === undefined && !rule.overridable);
    const takesChangeRef = (tool: string): boolean =>
      evaluator.rulesOf(tool).some(({ effect }) => effect === "require_change_ref");
    const parts = { evaluator, stack: facts, opa: engineUrl(opaUrl), hides, takesChangeRef };
    return {
      revision: evaluator.revision,
      files,
      hides,
      takesChangeRef,
      hide: hideTools(parts),
      enforce: enforceRules(parts),
      strip: stripChangeRef(parts),
    };
  };
}
