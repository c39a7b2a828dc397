/** What the merge report says of the rules. */
import type rulesHook from "../../hooks/rules.ts";

type RuleFacts = ReturnType<(typeof rulesHook)["derive"]>;
type CompiledRule = RuleFacts["rules"][number];

const LAYERS = ["constitution", "pack", "overlay"];

/** Rules of higher layers that an `allow` lifts where both are about one tool. */
function liftedBy(allow: CompiledRule, rules: RuleFacts["rules"]): readonly string[] {
  if (allow.effect !== "allow") return [];
  return rules
    .filter(
      (rule) =>
        rule.overridable &&
        rule.effect !== "allow" &&
        LAYERS.indexOf(allow.layer) > LAYERS.indexOf(rule.layer) &&
        rule.tools.some((tool) => allow.tools.includes(tool)),
    )
    .map(({ id }) => id);
}

function windowText({ window }: CompiledRule): string {
  return window === null
    ? ""
    : `${window.days.join(", ")} from ${window.from} to ${window.to} ${window.timezone}`;
}

export function rulesView({ files, rules }: RuleFacts): object {
  const replaced = files.flatMap(({ layer, name, replaces }) =>
    replaces.map((each) => ({ ...each, by: `the ${layer} ${name}` })),
  );
  const idle = rules
    .filter(
      (rule) => rule.tools.length === 0 || (rule.effect === "allow" && liftedBy(rule, rules).length === 0),
    )
    .map(({ id }) => id);
  return {
    files: files.map(({ file, layer, name, version, rules: own }) => ({
      file: `governance/${file}`,
      layer,
      name,
      version,
      count: own.length,
      rules: own.map((rule) => ({
        id: rule.id,
        effect: rule.effect === "route" ? "route: gitops" : rule.effect,
        isFinal: !rule.overridable && rule.effect !== "allow",
        reason: rule.reason,
        place: `governance/${rule.file}:${rule.line}`,
        hasWhen: rule.when !== null,
        when: rule.when ?? "",
        hasWindow: rule.window !== null,
        window: windowText(rule),
        lifts: liftedBy(rule, rules).join(", "),
        about: rule.tools.join(", ") || "no tool of this stack",
      })),
    })),
    replaced,
    hasReplaced: replaced.length > 0,
    idle,
    hasIdle: idle.length > 0,
  };
}
