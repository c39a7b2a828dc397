import { defineOutput, factsOf } from "#hook";
import type { FileSpec } from "#hook";
import type rulesHook from "../../hooks/rules.ts";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
import type profileHook from "../../hooks/profile.ts";

type RuleFacts = ReturnType<(typeof rulesHook)["derive"]>;

/** The rules as the server reads them, and as two policy engines would. */
function ruleFiles({ files, rego, cedar }: RuleFacts): readonly FileSpec[] {
  if (files.length === 0) return [];
  const from = "hooks/rules.ts";
  return [
    ...files.map(({ file, text }): FileSpec => ({ kind: "data", path: `governance/${file}`, from, text })),
    { kind: "data", path: "governance/mcp.rego", from, text: rego },
    { kind: "data", path: "governance/mcp.cedar", from, text: cedar },
  ];
}

export default defineOutput({
  name: "governance",
  files: (topology, facts) => [
    ...ruleFiles(factsOf<typeof rulesHook>(facts, "rules")),
    {
      kind: "data",
      path: "governance/profile.json",
      from: "hooks/profile.ts",
      json: factsOf<typeof profileHook>(facts, "profile"),
      layout: "pretty",
    },
    // Reviewed and mounted in the first place; the second is for a server whose folder stands alone.
    ...["governance/policy.json", "server/policy.json"].map((path) => ({
      kind: "data" as const,
      path,
      from: "hooks/runtime-policy.ts",
      json: factsOf<typeof runtimePolicyHook>(facts, "runtime-policy").own,
      layout: "rows" as const,
    })),
    // The drawing that this tree was made from: reviewers see its change beside the consequences, and `plan`
    // tells by it which changes come from a newer generator.
    {
      kind: "data",
      path: "governance/drawing.json",
      from: topology.source,
      json: topology.drawing as object,
      layout: "rows",
    },
  ],
});
