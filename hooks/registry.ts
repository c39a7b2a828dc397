import { defineHook, factsOf } from "#hook";
import type { CompiledTool, LinkModule, Topology } from "#hook";
import type writeGatesHook from "./write-gates.ts";

/** What the emitted code permits for one tool; the runtime's `AllowedTool`. */
export interface AllowedRow {
  readonly link: string;
  readonly access: "read" | "propose" | "write";
  readonly flag: string | null;
  readonly target?: { readonly parameter: string; readonly access: Readonly<Record<string, string>> };
  readonly limits?: Readonly<Record<string, string>>;
  readonly approvers?: readonly string[];
  readonly ttl?: string;
}

/** The access of each target by argument value, when the targets were drawn with different words. */
function targetOf({ link, family }: LinkModule): AllowedRow["target"] {
  const words = new Set(link.targets.map((target) => target.access));
  if (family.targetParameter === undefined || words.size < 2) return undefined;
  const access = Object.fromEntries(link.targets.map(({ sub, access: word }) => [sub.name, word]));
  return { parameter: family.targetParameter, access };
}

/** A link names its own approvers, or those of the stack decide. */
function approvalOf(
  own: readonly string[],
  { approvers: stack, ttl }: Topology["access"]["approvals"],
): Pick<AllowedRow, "approvers" | "ttl"> {
  const approvers = own.length > 0 ? own : stack;
  return { ...(approvers.length === 0 ? {} : { approvers }), ...(ttl === null ? {} : { ttl }) };
}

function allowedRow(
  module: LinkModule,
  tool: CompiledTool,
  { limits: everywhere, approvals }: Topology["access"],
): AllowedRow {
  const { link } = module;
  const limits = { ...everywhere, ...link.limits };
  const isRead = tool.effect === "read";
  const target = isRead ? undefined : targetOf(module);
  return {
    link: link.id,
    access: isRead ? "read" : link.access,
    flag: isRead ? null : `${module.environment}_WRITE_ACCESS`,
    ...(target === undefined ? {} : { target }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(isRead ? {} : approvalOf(link.approvers, approvals)),
  };
}

/** The generated allow-list and the ceiling of the write flags: the part of the gate that is code. */
export default defineHook({
  name: "registry",
  after: ["write-gates"],
  derive: ({ access }, facts, { links }) => {
    const { gates } = factsOf<typeof writeGatesHook>(facts, "write-gates");
    const rows = links.flatMap((module) =>
      module.tools.map((tool) => [tool.name, allowedRow(module, tool, access)] as const),
    );
    return {
      allowList: Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1))),
      flags: Object.fromEntries(gates.map(({ flag, drawn }) => [flag, drawn])),
    };
  },
});
