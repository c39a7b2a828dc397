import { offsetOf, pageFrom } from "#runtime/page";
import { flag, integer, oneOf, shaped, text } from "#runtime/parameter";
import { LAYERS } from "#runtime/rules";
import { compileCondition } from "#runtime/rules/condition";
import { citationOf } from "#runtime/rules/evaluate";
import type { Evaluator, ReadyRule } from "#runtime/rules/evaluate";
import { openEvaluator } from "#runtime/rules/open";
import { slot } from "#runtime/slot";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts } from "#runtime/tool";

export const link: LinkFacts = slot("link", {
  id: "mcp->governance",
  component: "governance",
  type: "governance",
  env: "MCP_GOVERNANCE",
  host: "",
  port: 0,
});
interface StackFacts {
  readonly name: string;
  readonly env: string | null;
}
/** As conditions see it. */
export const stack: StackFacts = slot("stack", { name: "stack", env: null });
/** Files of rules, the higher layer first. */
export const files: readonly string[] = slot("files", ["rules/constitution.yaml"]);

/** Beside the server's folder, as the server itself reads them. */
const FOLDER = new URL("../../governance/", import.meta.url);

type Context = CallContext<Evaluator>;

const MAX_RULES = 100;
const MAX_NAME = 128;

function shownRule(rule: ReadyRule): unknown {
  const { effect, tools, when, window, reason, overridable } = rule;
  return {
    ...citationOf(rule),
    effect,
    tools,
    reason,
    overridable,
    ...(when === undefined ? {} : { when }),
    ...(window === undefined ? {} : { window }),
  };
}

const getActiveRules = defineTool({
  name: "get_active_rules",
  title: "Rules for calls",
  description:
    "Use before you plan a change: the merged rules that every call is held to, with effect, reason, the tools that each is about, " +
    "and where it stands. A lower layer can only tighten a higher one.",
  effect: "read",
  parameters: {
    layer: oneOf(LAYERS, { optional: true }),
    limit: integer({ min: 1, max: MAX_RULES, default: 50 }),
    cursor: text({ max: 500, optional: true }),
  },
  handler: async ({ layer, limit, cursor }, { client }: Context) => {
    const rules = client.rules.filter((rule) => layer === undefined || rule.layer === layer).map(shownRule);
    const offset = offsetOf("get_active_rules", { layer }, cursor);
    const at = { tool: "get_active_rules", args: { layer }, offset, total: rules.length };
    const { items, about } = pageFrom(rules, limit, at);
    return { data: { policy_revision: client.revision, rules: items }, ...about };
  },
});

const evaluatePolicy = defineTool({
  name: "evaluate_policy",
  title: "What the rules would say",
  description:
    "Use before a call that may be refused: the verdict of the rules on a tool with these arguments, citing rule, layer, file and line. " +
    "Nothing is executed, and nothing is promised: rights, flags, rates and approvals are checked at the call itself.",
  effect: "read",
  parameters: {
    tool: text({ min: 1, max: MAX_NAME }),
    arguments: shaped<Readonly<Record<string, unknown>>, { optional: true }>(
      { type: "object" },
      { optional: true },
    ),
    change_ref: text({ max: 64, optional: true }),
    approved: flag({ default: false, doc: "as if a person had approved the call" }),
  },
  handler: async ({ tool, arguments: args = {}, change_ref: changeRef, approved }, { client }: Context) => {
    const principal = { id: null, human: null, agent: null, team: null };
    const question = { tool, args, principal, changeRef, approved };
    return { data: client.decide(question, new Date()) };
  },
});

export const tools = defineModule({
  link,
  open: () => openEvaluator({ folder: FOLDER, files, compile: compileCondition }, stack).evaluator,
  close: async () => undefined,
  tools: [getActiveRules, evaluatePolicy],
  resources: [
    {
      uri: "stack://governance/rules",
      name: "rules",
      title: "Rules for calls",
      description: "All rules that calls are held to, the higher layer first, with their revision.",
      mimeType: "application/json",
      read: async ({ client }: Context) => ({
        policy_revision: client.revision,
        rules: client.rules.map(shownRule),
      }),
    },
  ],
});
