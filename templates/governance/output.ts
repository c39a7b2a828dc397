import { defineOutput, factsOf } from "#hook";
import type runtimePolicyHook from "../../hooks/runtime-policy.ts";
import type profileHook from "../../hooks/profile.ts";

export default defineOutput({
  name: "governance",
  files: (topology, facts) => [
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
