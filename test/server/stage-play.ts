import { flag, text } from "#runtime/parameter";
import type { Registry } from "#runtime/registry";
import { defineModule, defineTool } from "#runtime/tool";
import type { Witness } from "./notes.ts";

/** A registry with one more tool, drawn with `propose`, that can rehearse and that takes a moment. */
export function withPlay(witness: Witness): (registry: Registry) => Registry {
  const play = defineTool({
    name: "play_run",
    title: "Run a play",
    description: "Runs a play; dry_run, the default, rehearses it.",
    effect: "destructive",
    parameters: { act: text({ max: 40 }), dry_run: flag({ default: true }) },
    handler: async ({ act, dry_run: isRehearsal }) => {
      if (isRehearsal) return { data: { would: act } };
      witness.ran.push(`play ${act}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (act === "fail") throw new Error("the stage collapsed");
      return { data: { did: act, times: witness.ran.filter((each) => each === `play ${act}`).length } };
    },
  });
  const module = defineModule<null>({
    link: {
      id: "mcp->play",
      component: "play",
      type: "play",
      env: "MCP_PLAY",
      host: "play.internal",
      port: 1,
    },
    open: () => null,
    close: async () => undefined,
    tools: [play],
  });
  return (registry) => ({
    ...registry,
    modules: [...registry.modules, module],
    allowList: {
      ...registry.allowList,
      play_run: {
        link: "mcp->play",
        access: "propose",
        flag: "MCP_PLAY_WRITE_ACCESS",
        approvers: ["group:sre"],
      },
    },
    flags: { ...registry.flags, MCP_PLAY_WRITE_ACCESS: true },
  });
}
