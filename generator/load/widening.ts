/** The base is the ceiling: compares what an environment resolves to with what the base resolves to. */
import { TRUST_LEVELS } from "../model/access-rules.ts";
import type { Built } from "../model/build.ts";
import { width } from "../model/build-ai-link.ts";
import type { AccessRules, Grant, Limits, McpLink, OAuth, Path } from "../model/topology.ts";
import type { Report } from "../diagnostics/report.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** Calls per second of `60/min`. */
function rate(text: string): number {
  const [count = "0", unit = "s"] = text.split("/");
  return Number(count) / (SECONDS[unit] ?? 1);
}

/** Seconds of `15m`. */
function duration(text: string): number {
  return Number.parseInt(text, 10) * (SECONDS[text.replace(/^\d+/, "")] ?? 1);
}

/** Says `what` the environment does, and where. */
type Widens = (what: string, path: Path) => void;

function compareLimits(base: Limits, now: Limits, owner: string, path: Path, widens: Widens): void {
  for (const key of ["perTool", "perSession"] as const) {
    const before = base[key];
    const after = now[key];
    if (before === undefined) continue;
    if (after === undefined) widens(`removes the limit ${key} of ${owner}`, path);
    else if (rate(after) > rate(before))
      widens(`raises ${key} of ${owner} from ${before} to ${after}`, [...path, key]);
  }
}

function compareTargets(base: McpLink, now: McpLink, widens: Widens): void {
  const before = new Map(base.targets.map((target) => [`${target.sub.section}/${target.sub.name}`, target]));
  const { name } = now.component;
  if (base.narrowed && !now.narrowed) widens(`reaches all of ${name} where the base narrows it`, now.path);
  for (const { sub, access } of now.targets) {
    const target = before.get(`${sub.section}/${sub.name}`);
    const path = now.narrowed ? [...now.path, "only", sub.name] : sub.path;
    if (target === undefined)
      widens(`reaches ${name}/${sub.name}, which AI does not reach in the base`, path);
    else if (
      now.narrowed &&
      width(access) > width(target.access) &&
      width(now.access) <= width(base.access)
    ) {
      widens(`raises ${name}/${sub.name} from ${target.access} to ${access}`, path);
    }
  }
}

function compareTools(base: McpLink, now: McpLink, widens: Widens): void {
  if (base.tools === null || now.access === "read") return;
  const { name } = now.component;
  if (now.tools === null) {
    widens(`keeps every write tool of ${name} where the base names some`, now.path);
    return;
  }
  const added = now.tools.filter((tool) => base.tools?.includes(tool) === false);
  if (added.length > 0) widens(`adds ${added.join(", ")} to the tools of ${name}`, [...now.path, "tools"]);
}

function compareApprovers(
  base: readonly string[],
  now: readonly string[],
  owner: string,
  path: Path,
  widens: Widens,
): void {
  if (now.length < base.length) widens(`has fewer approvers for ${owner} than the base`, path);
}

function compareLink(base: McpLink, now: McpLink, widens: Widens): void {
  const { name } = now.component;
  if (width(now.access) > width(base.access)) {
    widens(`raises ${name} from ${base.access} to ${now.access}`, [...now.path, "access"]);
  }
  compareTargets(base, now, widens);
  compareTools(base, now, widens);
  compareLimits(base.limits, now.limits, name, [...now.path, "limits"], widens);
  compareApprovers(base.approvers, now.approvers, name, [...now.path, "approvers"], widens);
}

function compareGrant(base: Grant, now: Grant, path: Path, widens: Widens): void {
  const owner = `grant ${now.name}`;
  if (TRUST_LEVELS.indexOf(now.maxTrust) > TRUST_LEVELS.indexOf(base.maxTrust)) {
    widens(`raises maxTrust of ${owner} from ${base.maxTrust} to ${now.maxTrust}`, [...path, "maxTrust"]);
  }
  if (JSON.stringify(now.subject) !== JSON.stringify(base.subject))
    widens(`gives ${owner} to somebody else`, [...path, "subject"]);
  if (base.expires !== null && (now.expires === null || now.expires > base.expires)) {
    widens(`lets ${owner} expire later`, [...path, "expires"]);
  }
  const { allow, deny } = now.tools;
  const isAllowWider =
    base.tools.allow.length > 0 &&
    (allow.length === 0 || allow.some((tool) => !base.tools.allow.includes(tool)));
  if (isAllowWider) widens(`allows more tools to ${owner}`, [...path, "tools", "allow"]);
  if (base.tools.deny.some((tool) => !deny.includes(tool)))
    widens(`denies fewer tools to ${owner}`, [...path, "tools", "deny"]);
}

/** Issuer and audience are addresses, which differ between environments; what a token then comes to may not. */
function compareOAuth(base: OAuth | null, now: OAuth | null, path: Path, widens: Widens): void {
  if (base === null) {
    if (now !== null) widens("lets callers in by tokens", path);
    return;
  }
  const takesKeys = now?.takesKeys ?? true;
  if (takesKeys && !base.takesKeys) widens("lets callers in by keys", [...path, "api_keys"]);
  if (now === null) return;
  const left = base.scopes.filter((scope) => !now.scopes.includes(scope));
  if (left.length > 0) widens(`does not ask for the scope ${left.join(", ")}`, [...path, "scopes"]);
  for (const part of ["claims", "roles"] as const) {
    const changed = Object.entries(now[part]).find(([name, value]) => base[part][name] !== value);
    if (changed !== undefined) widens(`reads ${changed[0]} otherwise from tokens`, [...path, part]);
  }
  for (const part of ["teams", "delegates"] as const) {
    const added = now[part].filter((each) => !base[part].includes(each));
    const isOpen = part === "teams" && base.teams.length === 0;
    if (added.length > 0 && !isOpen) widens(`adds ${added.join(", ")} to ${part}`, [...path, part]);
  }
}

function compareRules(base: AccessRules, now: AccessRules, widens: Widens): void {
  const path = ["access"];
  compareLimits(base.limits, now.limits, "the server", [...path, "limits"], widens);
  const approvals = [...path, "approvals"];
  compareApprovers(
    base.approvals.approvers,
    now.approvals.approvers,
    "the server",
    [...approvals, "approvers"],
    widens,
  );
  const { ttl } = base.approvals;
  if (ttl !== null && (now.approvals.ttl === null || duration(now.approvals.ttl) > duration(ttl))) {
    widens("lets proposals wait longer for their approval", [...approvals, "ttl"]);
  }
  for (const [glob, level] of Object.entries(base.trust)) {
    const after = now.trust[glob];
    const isLower = after === undefined || TRUST_LEVELS.indexOf(after) < TRUST_LEVELS.indexOf(level);
    if (isLower) widens(`lowers the trust that ${glob} needs`, [...path, "trust", glob]);
  }
  compareOAuth(base.oauth, now.oauth, [...path, "oauth"], widens);
  const grants = new Map(base.grants.map((grant) => [grant.name, grant]));
  for (const grant of now.grants) {
    const before = grants.get(grant.name);
    const at = [...path, "grants", grant.name];
    if (before === undefined) widens(`adds grant ${grant.name}`, at);
    else compareGrant(before, grant, at, widens);
  }
}

function compareRuleFiles(base: Built, now: Built, widens: Widens): void {
  const left = base.topology.server.rules.filter((file) => !now.topology.server.rules.includes(file));
  if (left.length > 0) widens(`leaves out the rules ${left.join(", ")}`, ["components", "mcp", "rules"]);
}

/** Reports E-ENV-WIDENS for everything that `now` gives AI and the base does not. */
export function checkWidening(base: Built, now: Built, environment: string, report: Report): void {
  const widens: Widens = (what, path) => {
    report(
      "E-ENV-WIDENS",
      `environment "${environment}" ${what}: an environment can only narrow the base`,
      path,
    );
  };
  for (const [name, link] of now.aiLinks) {
    const before = base.aiLinks.get(name);
    if (before !== undefined && before !== link) compareLink(before, link, widens);
    else if (before === undefined && !base.failed.has(name)) {
      widens(`adds a link from mcp to ${name}`, link.path);
    }
  }
  compareRuleFiles(base, now, widens);
  if (base.drawing.root !== now.drawing.root) compareRules(base.topology.access, now.topology.access, widens);
}
