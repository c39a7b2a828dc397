import { isBlock, sortKeys } from "./block.ts";
import type { Block } from "./block.ts";
import { limitsOf } from "./build-ai-link.ts";
import { buildOAuth } from "./oauth.ts";
import type { IssuerContext } from "./oauth.ts";
import type { AccessRules, Export, Grant } from "./topology.ts";
import { blockOf, textOf, textsOf } from "./values.ts";

type Trust = Grant["maxTrust"];

/** From little to much. */
export const TRUST_LEVELS: readonly Trust[] = ["low", "medium", "high"];

function trustOf(value: unknown): Trust | null {
  return TRUST_LEVELS.find((level) => level === value) ?? null;
}

function subjectOf(block: Block): Grant["subject"] {
  const subject: Record<string, string> = {};
  for (const key of ["agent", "group", "human", "team"]) {
    const value = textOf(block, key);
    if (value !== null) subject[key] = value;
  }
  return subject;
}

function grantsOf(block: Block): readonly Grant[] {
  return Object.entries(sortKeys(block)).flatMap(([name, written]) => {
    if (!isBlock(written)) return [];
    const tools = blockOf(written, "tools");
    return [
      {
        name,
        subject: subjectOf(blockOf(written, "subject")),
        maxTrust: trustOf(written["maxTrust"]) ?? "low",
        tools: { allow: textsOf(tools, "allow"), deny: textsOf(tools, "deny") },
        expires: textOf(written, "expires"),
      },
    ];
  });
}

function trustRules(block: Block): AccessRules["trust"] {
  const rules: Record<string, Trust> = {};
  for (const [glob, level] of Object.entries(sortKeys(block))) {
    const trust = trustOf(level);
    if (trust !== null) rules[glob] = trust;
  }
  return rules;
}

/** The `access` block of the stack file, every part of it optional. */
export function buildAccessRules(access: Block, context: IssuerContext): AccessRules {
  const approvals = blockOf(access, "approvals");
  return {
    limits: limitsOf(blockOf(access, "limits")),
    approvals: { approvers: textsOf(approvals, "approvers"), ttl: textOf(approvals, "ttl") },
    trust: trustRules(blockOf(access, "trust")),
    grants: grantsOf(blockOf(access, "grants")),
    oauth: buildOAuth(access, context),
  };
}

/** The `exports` block, sorted by component. */
export function buildExports(exports: Block): readonly Export[] {
  return Object.entries(sortKeys(exports)).flatMap(([component, written]) =>
    isBlock(written)
      ? [{ component, to: textsOf(written, "to").toSorted(), access: textOf(written, "access") ?? "read" }]
      : [],
  );
}
