import { ToolFault } from "#runtime/fault";
import { flag, integer, listOf, oneOf, shaped, text } from "#runtime/parameter";
import { slot } from "#runtime/slot";
import { openAgent } from "#runtime/stack-agent/open-agent";
import type { StackAgent } from "#runtime/stack-agent/agent";
import { MAX_TESTED } from "#runtime/stack-agent/command/run-tests";
import type { Answer } from "#runtime/stack-agent/engine";
import {
  MAX_COMMAND,
  MAX_FIELD,
  MAX_SELECT,
  MAX_SOURCE,
  MAX_VERIFY_DELAY,
  TARGETS,
} from "#runtime/stack-agent/query";
import { playbooksIn } from "#runtime/stack-agent/playbooks";
import { completeNames, resourcesIn } from "#runtime/stack-agent/resources";
import { MAX_CONDITIONS, OPERATOR_NAMES } from "#runtime/stack-agent/where";
import { defineModule, defineTool } from "#runtime/tool";
import type { CallContext, LinkFacts, ToolResult } from "#runtime/tool";

export const link: LinkFacts = slot("link", {
  id: "mcp->stack_agent",
  component: "stack_agent",
  type: "stack_agent",
  env: "MCP_AGENT",
  host: "stack-agent.stack.svc.cluster.local",
  port: 8090,
});

/** They stand beside the server's entry point, for when no agent runs as a service. */
const FILES = {
  topology: new URL("../topology.json", import.meta.url),
  commands: new URL("../commands.json", import.meta.url),
};

type Context = CallContext<StackAgent>;

const DEFAULT_ROWS = 100;
const MAX_ROWS = 500;

const source = text({ max: MAX_SOURCE, doc: "all, type:X, namespace:X, group:X or a name" });
const component = text({ max: MAX_SOURCE });
const target = oneOf(TARGETS, { default: "component" });
/** The engine checks every condition itself, and can say more about a wrong one than a schema could. */
const where = shaped<Readonly<Record<string, unknown>>, { optional: true }>(
  { type: "object", maxProperties: MAX_CONDITIONS },
  { optional: true },
);
const limit = integer({ min: 1, max: MAX_ROWS, default: DEFAULT_ROWS });
const cursor = text({ max: 500, optional: true });
const command = text({ max: MAX_COMMAND, optional: true });
const verify_delay = integer({ min: 0, max: MAX_VERIFY_DELAY, optional: true });
const dry_run = flag({ default: false });

function resultOf({ rows, total, next_cursor, warnings }: Answer): ToolResult {
  return { data: rows, page: { returned: rows.length, total, next_cursor }, warnings };
}

const queryTopology = defineTool({
  name: "query_topology",
  title: "Query the stack",
  description:
    "Finds components, their sub-components, links or attributes. " +
    'where: {"field": value} or "field__OP", OP of: ' +
    `${OPERATOR_NAMES.join(" ")}. A command is run for each row as by run_test; dry_run shows it filled in, secrets as ***.`,
  effect: "read",
  timeoutMs: 60_000,
  parameters: {
    source,
    target,
    where,
    select: listOf(text({ max: MAX_FIELD }), { max: MAX_SELECT, optional: true }),
    limit,
    cursor,
    include_mcp: flag({ default: false }),
    command,
    on_success: command,
    on_failure: command,
    verify_delay,
    dry_run,
  },
  handler: async (args, { client, signal }: Context) =>
    args.command !== undefined && !args.dry_run
      ? await client.test(args, { pages: true, mayWrite: false }, signal)
      : resultOf(await client.query(args, signal)),
});

const listComponents = defineTool({
  name: "list_components",
  title: "List the components",
  description: `Every component with its type, namespace and group; at most ${MAX_ROWS} per page.`,
  effect: "read",
  parameters: { limit, cursor },
  handler: async (args, { client, signal }: Context) =>
    resultOf(await client.query({ source: "all", ...args }, signal)),
});

const getComponentLinks = defineTool({
  name: "get_component_links",
  title: "Links of a component",
  description: "What a component connects to (outbound), or what connects to it (inbound).",
  effect: "read",
  parameters: {
    component,
    direction: oneOf(["outbound", "inbound"], { default: "outbound" }),
    limit,
    cursor,
  },
  handler: async ({ component: name, direction, ...page }, { client, signal }: Context) => {
    const target = direction === "outbound" ? "links_to" : "links_from";
    return resultOf(await client.query({ source: componentOnly(name), target, ...page }, signal));
  },
});

/** A tool that takes a component's name takes no other source. */
function componentOnly(name: string): string {
  if (name !== "all" && !name.includes(":")) return name;
  throw new ToolFault("invalid_argument", "component is the name of one component", {
    hint: "for more than one use query_topology with source",
  });
}

const runTest = defineTool({
  name: "run_test",
  title: "Test with a command",
  description:
    `Runs a check for each of up to ${MAX_TESTED} rows, then on_success after verify_delay seconds, or on_failure. ` +
    "Programs such as psql, redis-cli, curl, kubectl, as far as links allow; write {host} {port} {username} {database}, " +
    "PGPASSWORD={password}; | grep, name=$(...), test, ; && || are known, a shell is not. dry_run: true shows the commands.",
  effect: "read",
  mayWrite: true,
  timeoutMs: 60_000,
  parameters: {
    source,
    target,
    where,
    command: text({ max: MAX_COMMAND }),
    on_success: command,
    on_failure: command,
    verify_delay,
    dry_run,
  },
  handler: async (args, { client, signal }: Context) =>
    await client.test(args, { pages: false, mayWrite: true }, signal),
});

const getStackStructure = defineTool({
  name: "get_stack_structure",
  title: "Structure of the stack",
  description: "Every component with its number of sub-components by kind and what it links to.",
  effect: "read",
  parameters: { limit, cursor },
  handler: async (args, { client, signal }: Context) => {
    const { total, next_cursor, ...data } = await client.structure(args, signal);
    return { data, page: { returned: data.components.length, total, next_cursor } };
  },
});

const getAvailableFields = defineTool({
  name: "get_available_fields",
  title: "Variables of a component",
  description: "The {variables} that a command may use on a component, with their values; secrets are ***.",
  effect: "read",
  parameters: { component },
  handler: async ({ component: name }, { client, signal }: Context) => ({
    data: await client.fields(name, signal),
  }),
});

const getEnvironmentProfile = defineTool({
  name: "get_environment_profile",
  title: "Inventory of the stack",
  description: "The components by category (group), and for each how far AI reaches: access word and tools.",
  effect: "read",
  parameters: { category: text({ max: MAX_SOURCE, optional: true }) },
  handler: async ({ category }, { client, signal }: Context) => ({
    data: await client.profile(category, signal),
  }),
});

export const tools = defineModule<StackAgent>({
  link,
  open: (settings) => openAgent(link, settings, FILES),
  close: async () => undefined,
  tools: [
    queryTopology,
    listComponents,
    getComponentLinks,
    runTest,
    getStackStructure,
    getAvailableFields,
    getEnvironmentProfile,
  ],
  prompts: playbooksIn(new URL("../prompts/", import.meta.url)),
  resources: resourcesIn(new URL("../resources/", import.meta.url)),
  complete: completeNames,
});
