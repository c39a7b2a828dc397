/**
 * From the normalised drawing to the resolved topology.
 *
 * Every stage goes on after a fault, with what is left, so that one run reports all of them; whatever
 * depends on something that has failed stays silent.
 */
import type { ComponentType } from "../catalog/contract.ts";
import type { Block } from "./block.ts";
import type { DrawnComponent, DrawnLink, Drawing } from "./drawing.ts";
import { SERVER, builtinsOf } from "./builtins.ts";
import type { Report } from "../diagnostics/report.ts";
import { buildAccessRules, buildExports } from "./access-rules.ts";
import { buildAiLink } from "./build-ai-link.ts";
import type { KnownTool } from "./build-ai-link.ts";
import { buildComponent } from "./build-component.ts";
import type { Inherited } from "./build-component.ts";
import { buildLink } from "./build-link.ts";
import { canonicalDrawing } from "./canonical-drawing.ts";
import { kubernetesName } from "./naming.ts";
import { resolveEnd } from "./references.ts";
import type { Components } from "./references.ts";
import { buildServerSettings } from "./server-settings.ts";
import type { Component, End, Link, McpLink, Path, Topology } from "./topology.ts";
import { NOTHING, blockOf, textOf } from "./values.ts";

const DEFAULT_CLUSTER_DOMAIN = "cluster.local";

export interface BuildInput {
  readonly drawing: Drawing;
  readonly types: ReadonlyMap<string, ComponentType>;
  /** Tools by type; `undefined` when they are not known, and their names are not checked. */
  readonly modules: ReadonlyMap<string, { readonly tools: readonly KnownTool[] }> | undefined;
  readonly origins: ReadonlyMap<object, Path>;
  readonly source: string;
  readonly environment: string | null;
  readonly environments: readonly string[];
  readonly report: Report;
  /** The base, for an environment: what it shares with it is not built again. */
  readonly base: Built | null;
}

export interface Built {
  readonly drawing: Drawing;
  readonly topology: Topology;
  readonly components: Components;
  /** Every resolved link from `mcp`, those to types without tools so far included. */
  readonly aiLinks: ReadonlyMap<string, McpLink>;
  /** Names that some link could not resolve or use, so that nothing more is said about them. */
  readonly failed: ReadonlySet<string>;
  readonly inherited: Inherited;
  readonly links: ReadonlyMap<DrawnLink, Link>;
}

function inheritedOf({ root, components }: Drawing): Inherited {
  const defaults = blockOf(root, "defaults");
  const namespace = textOf(defaults, "namespace");
  const stack = textOf(root, "stack") ?? "";
  const server = textOf(components.get(SERVER)?.value ?? NOTHING, "namespace");
  return {
    stack,
    clusterDomain: textOf(root, "cluster_domain") ?? DEFAULT_CLUSTER_DOMAIN,
    namespace,
    serverNamespace: server ?? namespace ?? kubernetesName(stack),
    group: textOf(defaults, "group"),
  };
}

function isSame(a: Inherited, b: Inherited): boolean {
  return (
    a.stack === b.stack &&
    a.clusterDomain === b.clusterDomain &&
    a.namespace === b.namespace &&
    a.serverNamespace === b.serverNamespace &&
    a.group === b.group
  );
}

function buildOne(drawn: DrawnComponent, input: BuildInput, inherited: Inherited): Component | null {
  if (drawn.type === null) return null;
  const { base } = input;
  const before = base?.drawing.components.get(drawn.name);
  const isImplied = before === undefined && drawn.value === NOTHING;
  if (base !== null && (before === drawn || isImplied) && isSame(base.inherited, inherited)) {
    const shared = base.components.get(drawn.name);
    if (shared !== undefined) return shared;
  }
  return buildComponent(drawn, drawn.type, { inherited, origins: input.origins, report: input.report });
}

/**
 * `mcp` and `stack_agent` exist as soon as a link names them; they are drawn only to configure them. `path` is
 * where the link names one.
 */
function impliedBuiltin(name: string, path: Path, input: BuildInput, inherited: Inherited): Component | null {
  const type = builtinsOf(input.types).get(name);
  const before = input.base?.components.get(name)?.path;
  return type === undefined
    ? null
    : buildOne({ name, type, value: NOTHING, path: before ?? path }, input, inherited);
}

function buildComponents(input: BuildInput, inherited: Inherited): Map<string, Component | null> {
  const components = new Map<string, Component | null>();
  for (const drawn of input.drawing.components.values())
    components.set(drawn.name, buildOne(drawn, input, inherited));
  return components;
}

/** A drawn link and what became of it. */
interface ResolvedLink {
  readonly drawn: DrawnLink;
  readonly link: Link;
}

interface Links {
  /** In the order of their ids. */
  readonly resolved: readonly ResolvedLink[];
  readonly ai: ReadonlyMap<string, McpLink>;
  readonly failed: ReadonlySet<string>;
}

/** Resolves each reference text once: large stacks name the same ends again and again. */
function endResolver(
  components: Map<string, Component | null>,
  input: BuildInput,
  inherited: Inherited,
): (text: string, path: Path) => End | null {
  const resolved = new Map<string, End>();
  return (text, path) => {
    const known = resolved.get(text);
    if (known !== undefined) return known;
    if (!components.has(text)) {
      const implied = impliedBuiltin(text, path, input, inherited);
      if (implied !== null) components.set(text, implied);
    }
    const end = resolveEnd(text, components, path, input.report);
    if (end !== null) resolved.set(text, end);
    return end;
  };
}

/** The base's own link, when neither the link nor its ends differ in this environment. */
function sharedLink(drawn: DrawnLink, from: End, to: End, base: Built | null): Link | null {
  const link = base?.links.get(drawn);
  return link !== undefined && link.from.component === from.component && link.to.component === to.component
    ? link
    : null;
}

function buildLinks(
  input: BuildInput,
  components: Map<string, Component | null>,
  inherited: Inherited,
): Links {
  const { drawing, types, base, report } = input;
  const resolved: ResolvedLink[] = [];
  const ai = new Map<string, McpLink>();
  const failed = new Set<string>();
  const resolve = endResolver(components, input, inherited);
  for (const drawn of drawing.links) {
    const from = resolve(drawn.from, drawn.sourcePath);
    const to = resolve(drawn.to, drawn.path);
    const type = to === null ? undefined : types.get(to.component.type);
    const shared = from === null || to === null ? null : sharedLink(drawn, from, to, base);
    const link =
      shared ??
      (from === null || to === null || type === undefined ? null : buildLink(drawn, from, to, type, report));
    if (link === null || to === null || type === undefined) {
      failed.add(drawn.from).add(drawn.to);
      continue;
    }
    if (drawn.from !== SERVER) {
      resolved.push({ drawn, link });
      continue;
    }
    const aiLink =
      (shared === null ? undefined : base?.aiLinks.get(drawn.to)) ??
      buildAi(drawn, to.component, type, input);
    resolved.push({ drawn, link: aiLink === null ? link : { ...link, access: aiLink.access } });
    if (aiLink === null) failed.add(drawn.to);
    else ai.set(drawn.to, aiLink);
  }
  return { resolved: resolved.sort((a, b) => (a.link.id < b.link.id ? -1 : 1)), ai, failed };
}

function buildAi(
  drawn: DrawnLink,
  component: Component,
  type: ComponentType,
  input: BuildInput,
): McpLink | null {
  return buildAiLink(drawn, component, type, () => input.modules?.get(type.type)?.tools, input.report);
}

/** One link written in two ways, such as `kafka/orders` and `kafka/topic:orders`. */
function reportTwins(links: readonly ResolvedLink[], report: Report): void {
  for (let index = 1; index < links.length; index++) {
    const link = links[index]?.link;
    if (link === undefined || link.id !== links[index - 1]?.link.id) continue;
    report(
      "E-DUP",
      `the link ${link.id} is drawn twice: merge the two, or give both a name in a list`,
      link.path,
    );
  }
}

/** Only the environments look links up. */
function indexFor({ environments, base }: BuildInput, links: readonly ResolvedLink[]): Built["links"] {
  const isNeeded = base === null && environments.length > 0;
  return new Map(isNeeded ? links.map(({ drawn, link }) => [drawn, link]) : []);
}

function sortedBy<T>(values: Iterable<T>, key: (value: T) => string): readonly T[] {
  return [...values].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Never fails: faults are reported, and the topology then holds what could be resolved. */
export function buildTopology(input: BuildInput): Built {
  const { drawing, types } = input;
  const { root } = drawing;
  const inherited = inheritedOf(drawing);
  const components = buildComponents(input, inherited);
  const { resolved, ai, failed } = buildLinks(input, components, inherited);
  reportTwins(resolved, input.report);
  const present = [...components.values()].filter((component) => component !== null);
  const aiLinks = sortedBy(ai.values(), (link) => link.component.name);
  // Made when it is first asked for: validating a large stack does not need it.
  let canonical: Block | undefined;
  const topology: Topology = {
    stack: inherited.stack,
    environment: input.environment,
    environments: input.environments,
    source: input.source,
    description: textOf(root, "description"),
    owner: textOf(root, "owner"),
    domain: textOf(root, "domain"),
    clusterDomain: inherited.clusterDomain,
    components: sortedBy(present, (component) => component.name),
    links: resolved.map(({ link }) => link),
    mcpLinks: aiLinks.filter((link) => types.get(link.component.type)?.mcp === "tools"),
    server: buildServerSettings(drawing.components.get(SERVER)?.value ?? {}),
    exports: buildExports(blockOf(root, "exports")),
    access: buildAccessRules(blockOf(root, "access"), { components, types, report: input.report }),
    documents: [],
    issuerKeys: [],
    ruleSets: [],
    get drawing() {
      canonical ??= canonicalDrawing(drawing, resolved, ai);
      return canonical;
    },
  };
  return { drawing, topology, components, aiLinks: ai, failed, inherited, links: indexFor(input, resolved) };
}
