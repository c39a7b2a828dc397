import { promptDigest, resourceDigest, toolDigest } from "#runtime/digest";
import type { AllowedTool, Registry } from "#runtime/registry";
import type { Surface } from "#runtime/surface";
import { memoModule, notesModule, READ_TOOLS } from "./notes.ts";
import type { Witness } from "./notes.ts";

const NOTES_FLAG = "MCP_NOTES_WRITE_ACCESS";
const MEMO_FLAG = "MCP_MEMO_WRITE_ACCESS";

/** What the drawing of the tests permits: reads, writes into one book, proposals for the other and for memos. */
export function testRegistry(witness: Witness): Registry {
  const reads = READ_TOOLS.map(({ name }): [string, AllowedTool] => [
    name,
    { link: "mcp->notes", access: "read", flag: null },
  ]);
  return {
    stack: "test",
    environment: null,
    modules: [notesModule(witness), memoModule(witness)],
    allowList: {
      ...Object.fromEntries(reads),
      notes_put: {
        link: "mcp->notes",
        access: "write",
        flag: NOTES_FLAG,
        target: { parameter: "book", access: { journal: "write", ledger: "propose" } },
      },
      notes_clear: { link: "mcp->notes", access: "write", flag: NOTES_FLAG },
      memo_add: { link: "mcp->memo", access: "propose", flag: MEMO_FLAG },
    },
    flags: { [NOTES_FLAG]: true, [MEMO_FLAG]: true, MCP_PRINTER_WRITE_ACCESS: false },
    credentials: {},
  };
}

/** The lock that generation would have written for a registry. */
export function surfaceOf(registry: Registry): Surface {
  const tools = registry.modules.flatMap(({ tools: all }) => all);
  return {
    stack: registry.stack,
    environment: registry.environment,
    prompts: registry.modules.flatMap(({ link, prompts = [] }) =>
      prompts.map((prompt) => ({
        name: prompt.name,
        link: link.id,
        hash: promptDigest(prompt, prompt.text()),
      })),
    ),
    resources: registry.modules.flatMap(({ link, resources = [] }) =>
      resources.map((resource) => ({
        uri: resource.uri,
        link: link.id,
        hash: resourceDigest(resource, resource.text?.() ?? null),
      })),
    ),
    tools: tools.flatMap((tool) => {
      const allowed = registry.allowList[tool.name];
      if (allowed === undefined) return [];
      const { name, title, description, inputSchema, outputSchema, annotations } = tool;
      const pinned = { name, title, description, inputSchema, outputSchema, annotations };
      return [{ ...pinned, link: allowed.link, access: allowed.access, hash: toolDigest(pinned) }];
    }),
  };
}
