import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promptDigest, resourceDigest, toolDigest } from "#runtime/digest";
import { UNAVAILABLE } from "#runtime/policy/policy";
import { revisionOf } from "#runtime/policy/document";
import type { PolicyDocument, PolicyTool } from "#runtime/policy/document";
import type { PolicyGate } from "#runtime/policy/gate";
import { embeddedProposals } from "#runtime/approval/store";
import { createProposals } from "#runtime/approval/proposals";
import type { AllowedTool, Registry } from "#runtime/registry";
import type { Surface } from "#runtime/surface/surface";
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

const TRUST = { read: "low", propose: "medium", write: "high" } as const;
const EFFECTS = { read: "read", additive: "write", destructive: "destructive" } as const;

/** The policy that generation would have written for a registry: without grants of its own, whoever holds a key. */
export function policyOf(registry: Registry, more: Partial<PolicyDocument> = {}): PolicyDocument {
  const effects = new Map(
    registry.modules.flatMap(({ tools }) =>
      tools.map(({ name, effect }) => [name, EFFECTS[effect]] as const),
    ),
  );
  const tools = Object.entries(registry.allowList).map(([name, { access }]): PolicyTool => ({
    name,
    required_trust: TRUST[access],
    side_effect: effects.get(name) ?? "read",
  }));
  const document = {
    schema_version: "v1",
    revision: "",
    server: { name: `${registry.stack}-mcp`, namespace: registry.stack },
    policy: { mode: "allow-list" as const, default_decision: "deny" as const, policy_version: "v1" },
    session: {},
    tools,
    grants: [
      {
        name: "any-key",
        agent_id: "*",
        max_trust: "high" as const,
        allowed_side_effects: ["read", "write", "destructive"] as const,
      },
    ],
    ...more,
  };
  return { ...document, revision: revisionOf(document) };
}

/** The policy in a file of its own. */
export function policyFileOf(registry: Registry): string {
  const file = join(mkdtempSync(join(tmpdir(), "topogate-policy-")), "policy.json");
  writeFileSync(file, JSON.stringify(policyOf(registry)));
  return file;
}

/** Every switch on, and no limit. */
export const unhindered = {
  proposals: createProposals(embeddedProposals(undefined), { twoPerson: true, entryOf: () => undefined }),
  switches: { off: () => undefined },
  rates: { take: async () => 0 },
  rateSettings: { read: 0, write: 0, global: 0, burst: 1 },
} as const;

/** For what is put together by hand, and is about something else. */
export const everythingGranted: PolicyGate = {
  decide: () => ({
    decision: { ...UNAVAILABLE, allowed: true, status: 200, reason: "allowed" },
    revision: "",
  }),
  isFor: () => true,
  revision: () => "",
  isReady: () => true,
  status: () => ({}),
};
