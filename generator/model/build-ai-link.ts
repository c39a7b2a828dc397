import type { ComponentType } from "../catalog/contract.ts";
import { suggestion } from "../diagnostics/suggest.ts";
import { isBlock, sortedKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { DrawnLink } from "./drawing.ts";
import { quoted } from "../diagnostics/report.ts";
import type { Report } from "../diagnostics/report.ts";
import { flow } from "./flow.ts";
import { environmentPrefix, toolName, toolPrefix } from "./naming.ts";
import { resolveSub } from "./references.ts";
import { secretReference } from "./secret-reference.ts";
import type { Access, Component, Limits, McpLink, SecretReference, Target } from "./topology.ts";
import { blockOf, textOf, textsOf } from "./values.ts";

/** From narrow to wide. */
export const ACCESS_WORDS: readonly Access[] = ["read", "propose", "write"];

/** What is known of a type's tools: their names in the module's source, and whether they write. */
export interface KnownTool {
  readonly name: string;
  readonly effect: "read" | "additive" | "destructive";
}

/** How wide a word is; for comparing two of them. */
export function width(access: Access): number {
  return ACCESS_WORDS.indexOf(access);
}

function isAccess(word: unknown): word is Access {
  return ACCESS_WORDS.some((known) => known === word);
}

/** `null` after a report; without a word, `otherwise`. */
function accessOf(word: unknown, otherwise: Access, path: DrawnLink["path"], report: Report): Access | null {
  if (word === undefined || word === null) return otherwise;
  if (isAccess(word)) return word;
  if (typeof word === "string") {
    report("E-ACCESS", `${quoted(word)} is no access word for AI: use read, propose or write`, path);
  } else {
    report("E-SHAPE", "the access of a link from mcp is read, propose or write", path);
  }
  return null;
}

export function limitsOf(block: Block): Limits {
  const perTool = textOf(block, "perTool");
  const perSession = textOf(block, "perSession");
  return { ...(perTool === null ? {} : { perTool }), ...(perSession === null ? {} : { perSession }) };
}

/** Everything in the type's scope; a type without tools so far has no scope, and shows all it has. */
function isInScope(section: string, type: ComponentType): boolean {
  return type.tools === undefined || type.tools.scope === section;
}

function narrowedTargets(
  only: Block,
  access: Access,
  component: Component,
  type: ComponentType,
  link: DrawnLink,
  report: Report,
): readonly Target[] | null {
  const targets: Target[] = [];
  for (const [part, word] of Object.entries(only)) {
    const path = [...link.path, "only", part];
    const own = accessOf(word, access, path, report);
    const sub = resolveSub(component, part, path, report);
    if (sub === null || own === null) return null;
    if (!isInScope(sub.section, type)) {
      report(
        "E-REF",
        `AI cannot be narrowed to a ${sub.kind} of "${component.name}": ${scopeText(type)}`,
        path,
      );
      return null;
    }
    if (targets.some((target) => target.sub === sub)) report("E-DUP", `${quoted(part)} is named twice`, path);
    targets.push({ sub, access: own });
  }
  return targets.sort((a, b) => (a.sub.name < b.sub.name ? -1 : 1));
}

function scopeText(type: ComponentType): string {
  const scope = type.tools?.scope;
  return scope === undefined ? "its tools are for all of it" : `its tools are narrowed by ${scope}`;
}

function targetsOf(
  access: Access,
  component: Component,
  type: ComponentType,
  link: DrawnLink,
  report: Report,
): readonly Target[] | null {
  const { only } = link.value;
  if (isBlock(only)) return narrowedTargets(only, access, component, type, link, report);
  const scope = type.tools?.scope;
  return component.subs.filter((sub) => sub.section === scope).map((sub) => ({ sub, access }));
}

function widest(access: Access, targets: readonly Target[], narrowed: boolean): Access {
  if (!narrowed) return access;
  return targets.reduce<Access>(
    (most, target) => (width(target.access) > width(most) ? target.access : most),
    "read",
  );
}

/** The names under `tools`, against the tools that the type has for this link. */
export function checkTools(
  names: readonly string[],
  component: Component,
  type: ComponentType,
  known: readonly KnownTool[],
  link: Pick<DrawnLink, "path">,
  report: Report,
): void {
  const prefix = toolPrefix(component, type);
  const effects = new Map(known.map((tool) => [toolName(tool.name, type, prefix), tool.effect]));
  const writes = [...effects].filter(([, effect]) => effect !== "read").map(([name]) => name);
  names.forEach((name, index) => {
    const effect = effects.get(name);
    if (effect !== undefined && effect !== "read") return;
    const path = [...link.path, "tools", index];
    if (effect === "read") {
      report(
        "E-REF",
        `${quoted(name)} is a read tool: those always stay, tools names the write tools to keep`,
        path,
      );
    } else {
      const offer =
        writes.length === 0 ? "it has no write tools" : `its write tools are ${writes.join(", ")}`;
      report(
        "E-REF",
        `"${component.name}" has no tool ${quoted(name)}; ${offer}.${suggestion(name, writes)}`,
        path,
      );
    }
  });
}

/** `{password: {env: X}}` says where `MCP_VALKEY_PASSWORD` comes from. */
function credentialsOf(
  component: Component,
  type: ComponentType,
  link: DrawnLink,
  report: Report,
): Readonly<Record<string, SecretReference>> {
  const written = blockOf(link.value, "credentials");
  const prefix = environmentPrefix(component, type);
  return Object.fromEntries(
    sortedKeys(written).map((name) => {
      const variable = `${prefix}_${name.toUpperCase()}`;
      return [
        variable,
        secretReference(written[name], variable, [...link.path, "credentials", name], report),
      ];
    }),
  );
}

/** One canonical line: what is left out says the default, and names stand in order. */
function drawnText(link: Omit<McpLink, "drawn">): string {
  const words = new Set(link.targets.map((target) => target.access));
  const isMixed = link.narrowed && words.size > 1;
  const only = isMixed
    ? Object.fromEntries(link.targets.map((target) => [target.sub.name, target.access]))
    : link.targets.map((target) => target.sub.name);
  const value = {
    ...(isMixed ? {} : { access: link.access }),
    ...(link.narrowed ? { only } : {}),
    ...(link.tools === null ? {} : { tools: link.tools }),
    ...(Object.keys(link.limits).length === 0 ? {} : { limits: link.limits }),
    ...(link.approvers.length === 0 ? {} : { approvers: link.approvers }),
  };
  const isShort = Object.keys(value).length === 1 && !isMixed;
  return `${link.component.name}: ${isShort ? link.access : flow(value)}`;
}

/**
 * An `mcp` link, resolved; `null` after a report. Links to types without tools so far are resolved as well.
 * `knownTools` is asked only when the link names tools.
 */
export function buildAiLink(
  link: DrawnLink,
  component: Component,
  type: ComponentType,
  knownTools: () => readonly KnownTool[] | undefined,
  report: Report,
): McpLink | null {
  if (type.mcp === "never") {
    report(
      "E-NO-TOOLS",
      `AI has no tools for ${type.type} ("${component.name}"): link mcp to what stands behind it, or remove the link`,
      link.path,
    );
    return null;
  }
  const access = accessOf(link.value["access"], "read", [...link.path, "access"], report);
  const targets = targetsOf(access ?? "read", component, type, link, report);
  if (access === null || targets === null) return null;
  const narrowed = isBlock(link.value["only"]);
  const tools = Array.isArray(link.value["tools"]) ? textsOf(link.value, "tools") : null;
  const known = tools === null ? undefined : knownTools();
  // Tools that a document defines are known only when it has been read.
  const isFinal = type.tools?.derived === undefined;
  if (tools !== null && known !== undefined && isFinal)
    checkTools(tools, component, type, known, link, report);
  const reach = widest(access, targets, narrowed);
  const built = {
    id: `mcp->${component.name}`,
    component,
    access: reach,
    targets,
    narrowed,
    // A read link has no write tools that could be chosen, whatever the base says about them.
    tools: reach === "read" ? null : tools,
    limits: limitsOf(blockOf(link.value, "limits")),
    approvers: textsOf(link.value, "approvers"),
    credentials: credentialsOf(component, type, link, report),
    path: link.path,
  };
  return { ...built, drawn: drawnText(built) };
}
