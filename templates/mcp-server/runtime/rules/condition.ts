import { Environment } from "@marcbachmann/cel-js";
import { StartError } from "#runtime/start-error";

/** Facts by name, as a condition in CEL sees them. */
export type ConditionFacts = Readonly<
  Record<"stack" | "tool" | "args" | "principal" | "change_ref", unknown>
>;
export type Condition = (facts: ConditionFacts) => boolean;
export type CompileCondition = (text: string, where: string) => Condition;

const environment = new Environment({ limits: { maxAstNodes: 500, maxDepth: 50 } })
  .registerVariable("stack", "map")
  .registerVariable("tool", "string")
  .registerVariable("args", "map")
  .registerVariable("principal", "map")
  .registerVariable("change_ref", "string");

/** Whole numbers of JSON are integers in CEL too. */
function celValue(value: unknown): unknown {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, celValue(member)]));
}

/** A condition that throws has not been answered: whoever asks decides what that means. */
export const compileCondition: CompileCondition = (text, where) => {
  try {
    // Its patterns can take for ever on a text that an argument holds.
    if (/\bmatches\s*\(/.test(text))
      throw new Error("use startsWith, endsWith, contains or in instead of matches");
    const run = environment.parse(text);
    const checked = run.check();
    if (!checked.valid) throw checked.error ?? new Error("it does not fit its variables");
    return (facts) => {
      const value: unknown = run(celValue(facts) as Record<string, unknown>);
      if (typeof value !== "boolean") throw new TypeError("a condition must be true or false");
      return value;
    };
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause);
    throw new StartError(`${where}: its condition cannot be used: ${why}`);
  }
};
