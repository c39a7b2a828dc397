import { defineHook, factsOf } from "#hook";
import type { CompiledTool, LinkModule, Topology } from "#hook";
import type credentialsHook from "./credentials.ts";
import type egressHook from "./egress.ts";

type Rules = Topology["access"];
type Grant = Rules["grants"][number];
type Access = LinkModule["link"]["access"];
type Trust = Grant["maxTrust"];

/** How far one grant goes on one target. */
export interface AccessCell {
  readonly grant: string;
  /** Write, propose (with an approval), read, or nothing. */
  readonly access: "w" | "p" | "r" | "-";
  /** How many of the row's tools the grant may call. */
  readonly tools: number;
}

/** One thing that AI can reach. */
export interface AccessRow {
  /** `cnpg/app_db`; the component alone for a type without a scope. */
  readonly target: string;
  readonly link: string;
  /** The link as it is drawn. */
  readonly drawn: string;
  readonly access: Access;
  readonly tools: number;
  readonly cells: readonly AccessCell[];
  readonly credentials: readonly string[];
  /** `host:port`; empty when there is no rule. */
  readonly egress: readonly string[];
  readonly noEgress: string | null;
}

export interface AccessGrant {
  readonly name: string;
  /** `group sre`. */
  readonly subject: string;
  readonly maxTrust: Trust;
  readonly expires: string | null;
}

/** One tool, at the widest word that the drawing gives it. */
export interface ToolTrust {
  readonly name: string;
  /** What a call needs. */
  readonly trust: Trust;
  /** Grants whose lists of tools let it pass, whatever their trust. */
  readonly grants: readonly string[];
}

export interface AccessMatrix {
  /** The columns. Without any grant in the drawing there is one, `any key`: whoever holds a key. */
  readonly grants: readonly AccessGrant[];
  readonly rows: readonly AccessRow[];
  /** Sorted by name. */
  readonly tools: readonly ToolTrust[];
}

const TRUST: readonly Trust[] = ["low", "medium", "high"];
const TRUST_OF: Readonly<Record<Access, Trust>> = { read: "low", propose: "medium", write: "high" };
const WORDS = { read: "r", propose: "p", write: "w" } as const;

const ANY_KEY: Grant = {
  name: "any key",
  subject: {},
  maxTrust: "high",
  tools: { allow: [], deny: [] },
  expires: null,
};

/** `*` stands for any run of characters; everything else for itself. */
function matches(glob: string, name: string): boolean {
  const pattern = glob.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(name);
}

const matchesAny = (globs: readonly string[], name: string): boolean =>
  globs.some((glob) => matches(glob, name));

/**
 * How a tool acts on a target drawn with `word`; `null` when it does not. A write tool that cannot tell its
 * targets apart acts with the link's own word, and only on targets drawn with it.
 */
function accessOfTool({ family, link }: LinkModule, tool: CompiledTool, word: Access): Access | null {
  if (tool.effect === "read") return "read";
  const tellsApart = family.targetParameter !== undefined || word === link.access;
  return word === "read" || !tellsApart ? null : word;
}

/** `access.trust` can only raise what a tool needs. */
function trustNeeded(rules: Rules, tool: CompiledTool, access: Access): number {
  const raised = Object.entries(rules.trust).filter(([glob]) => matches(glob, tool.name));
  return Math.max(TRUST.indexOf(TRUST_OF[access]), ...raised.map(([, trust]) => TRUST.indexOf(trust)));
}

function passesLists({ tools: { allow, deny } }: Grant, tool: CompiledTool): boolean {
  return !matchesAny(deny, tool.name) && (allow.length === 0 || matchesAny(allow, tool.name));
}

function mayCall(rules: Rules, grant: Grant, tool: CompiledTool, access: Access): boolean {
  return passesLists(grant, tool) && trustNeeded(rules, tool, access) <= TRUST.indexOf(grant.maxTrust);
}

function toolTrusts(
  rules: Rules,
  grants: readonly Grant[],
  links: readonly LinkModule[],
): readonly ToolTrust[] {
  const tools = links.flatMap(({ link, tools: own }) =>
    own.map((tool): ToolTrust => ({
      name: tool.name,
      trust: TRUST[trustNeeded(rules, tool, tool.effect === "read" ? "read" : link.access)] ?? "high",
      grants: grants.filter((grant) => passesLists(grant, tool)).map(({ name }) => name),
    })),
  );
  return tools.sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Callable {
  readonly tool: CompiledTool;
  readonly access: Access;
}

function cellOf(rules: Rules, grant: Grant, callable: readonly Callable[]): AccessCell {
  const allowed = callable.filter(({ tool, access }) => mayCall(rules, grant, tool, access));
  const widest = (["write", "propose", "read"] as const).find((word) =>
    allowed.some(({ access }) => access === word),
  );
  return { grant: grant.name, access: widest === undefined ? "-" : WORDS[widest], tools: allowed.length };
}

function subjectOf({ subject }: Grant): string {
  const parts = Object.entries(subject).sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.length === 0
    ? "whoever holds a key"
    : parts.map(([kind, name]) => `${kind} ${name}`).join(", ");
}

interface Held {
  readonly credentials: readonly string[];
  readonly egress: readonly string[];
  readonly noEgress: string | null;
}

function rowsOf(rules: Rules, grants: readonly Grant[], module: LinkModule, held: Held): AccessRow[] {
  const { link, tools } = module;
  const { name } = link.component;
  const targets = link.targets.map(({ sub, access }) => ({ target: `${name}/${sub.name}`, access }));
  const reached = targets.length === 0 ? [{ target: name, access: link.access }] : targets;
  return reached.map(({ target, access }) => {
    const callable = tools.flatMap((tool): Callable[] => {
      const does = accessOfTool(module, tool, access);
      return does === null ? [] : [{ tool, access: does }];
    });
    const cells = grants.map((grant) => cellOf(rules, grant, callable));
    return { target, link: link.id, drawn: link.drawn, access, tools: callable.length, cells, ...held };
  });
}

/**
 * Who reaches what, and how far: a row for each thing behind an `mcp` link, a column for each grant. Grants
 * narrow the drawing; an expired one still has its column, since this is derived without a clock.
 */
export default defineHook({
  name: "access-matrix",
  after: ["credentials", "egress"],
  derive: (topology, facts, { links }): AccessMatrix => {
    const credentials = factsOf<typeof credentialsHook>(facts, "credentials");
    const egress = factsOf<typeof egressHook>(facts, "egress");
    const grants = topology.access.grants.length === 0 ? [ANY_KEY] : topology.access.grants;
    const heldBy = (link: string): Held => {
      const own = credentials.links.find((entry) => entry.link === link)?.credentials ?? [];
      const network = egress.links.find((entry) => entry.link === link);
      return {
        credentials: own.map(({ name }) => name),
        egress: network?.addresses ?? [],
        noEgress: network?.none ?? null,
      };
    };
    return {
      grants: grants.map((grant) => ({
        name: grant.name,
        subject: subjectOf(grant),
        maxTrust: grant.maxTrust,
        expires: grant.expires,
      })),
      rows: links.flatMap((module) => rowsOf(topology.access, grants, module, heldBy(module.link.id))),
      tools: toolTrusts(topology.access, grants, links),
    };
  },
});
