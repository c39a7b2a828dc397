/** What AI gains and loses between two surface locks. */

interface LockedTool {
  readonly name: string;
  readonly link: string;
  readonly access: string;
  readonly targets: readonly string[];
  readonly hash: string;
}
export interface SurfaceLock {
  readonly tools: readonly LockedTool[];
  readonly prompts: readonly { readonly name: string }[];
  readonly resources: readonly { readonly uri: string }[];
  readonly credentials: readonly string[];
  readonly egress: readonly string[];
  readonly flags: Readonly<Record<string, boolean>>;
  /** Missing where no tokens let callers in. */
  readonly oauth?: { readonly issuer: string; readonly audience: string };
}

export interface SurfaceDiff {
  readonly gains: readonly string[];
  readonly loses: readonly string[];
}

const EMPTY: SurfaceLock = { tools: [], prompts: [], resources: [], credentials: [], egress: [], flags: {} };
const REACH = ["read", "propose", "write"];

function listDiff(what: string, before: readonly string[], after: readonly string[]): SurfaceDiff {
  return {
    gains: after.filter((item) => !before.includes(item)).map((item) => `${what} ${item}`),
    loses: before.filter((item) => !after.includes(item)).map((item) => `${what} ${item}`),
  };
}

function toolDiff(before: LockedTool, after: LockedTool): SurfaceDiff {
  const wider = REACH.indexOf(after.access) - REACH.indexOf(before.access);
  const targets = listDiff(`target of ${after.name}:`, before.targets, after.targets);
  const word = wider === 0 ? [] : [`access of ${after.name}: ${before.access} -> ${after.access}`];
  return {
    gains: [...(wider > 0 ? word : []), ...targets.gains],
    loses: [...(wider < 0 ? word : []), ...targets.loses],
  };
}

/** Compares two locks; an absent one counts as empty. */
export function surfaceDiff(previous: SurfaceLock | undefined, next: SurfaceLock | undefined): SurfaceDiff {
  const before = previous ?? EMPTY;
  const after = next ?? EMPTY;
  const old = new Map(before.tools.map((tool) => [tool.name, tool]));
  const parts = [
    listDiff(
      "tool",
      before.tools.map(({ name }) => name),
      after.tools.map(({ name }) => name),
    ),
    ...after.tools.flatMap((tool) => {
      const was = old.get(tool.name);
      return was === undefined ? [] : [toolDiff(was, tool)];
    }),
    listDiff(
      "prompt",
      before.prompts.map(({ name }) => name),
      after.prompts.map(({ name }) => name),
    ),
    listDiff(
      "resource",
      before.resources.map(({ uri }) => uri),
      after.resources.map(({ uri }) => uri),
    ),
    listDiff("credential", before.credentials, after.credentials),
    listDiff("egress", before.egress, after.egress),
    listDiff("callers with tokens", tokensOf(before), tokensOf(after)),
    listDiff("write flag", openFlags(before), openFlags(after)),
  ];
  return { gains: parts.flatMap(({ gains }) => gains), loses: parts.flatMap(({ loses }) => loses) };
}

function tokensOf({ oauth }: SurfaceLock): readonly string[] {
  return oauth === undefined ? [] : [`of ${oauth.issuer} for ${oauth.audience}`];
}

function openFlags({ flags }: SurfaceLock): readonly string[] {
  return Object.keys(flags).filter((name) => flags[name] === true);
}
