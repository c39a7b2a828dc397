import type { Settings } from "#runtime/settings";
import type { Reach } from "#runtime/stack-agent/reach";
import type { Place as Drawn } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import type { Place } from "./place.ts";
import type { AccountRule, CommandRules, LinkRule } from "./rules.ts";

/** The settings of a drawn link, by the prefix of its variables. */
export type SettingsOf = (env: string) => Settings;

/** How the links of the MCP server are looked up. */
export interface Links {
  readonly reach: Reach;
  readonly rules: CommandRules;
  readonly settings: SettingsOf;
}

function reachOf({ node, sub }: Drawn, { reach }: Links): Place["reach"] {
  const entry = reach.get(node.component.name) ?? null;
  if (entry === null || !entry.narrowed) return entry;
  const isTarget = entry.targets.some(({ name, kind }) => name === sub?.name && kind === sub.kind);
  return isTarget ? entry : null;
}

/** The account that the link has for a place; none for a place that it does not reach. */
export function accountOf({ sub, link }: Pick<Place, "sub" | "link">): AccountRule | undefined {
  return link?.accounts.find(
    (account) => account.sub === null || (account.sub === sub?.name && account.kind === sub.kind),
  );
}

/** A variable of the account that is no secret: the environment's value, else the one that follows from the drawing. */
export function accountText(
  link: LinkRule,
  account: AccountRule,
  name: string,
  settings: SettingsOf,
): string | undefined {
  const variable = Object.hasOwn(account.variables, name) ? account.variables[name] : undefined;
  if (variable === undefined || variable.secret) return undefined;
  const text = settings(link.env).text(variable.name, variable.value ?? "");
  return text === "" ? undefined : text;
}

/** A place of a row with what the link of the MCP server adds to it. */
export function placeOf(drawn: Drawn, links: Links): Place {
  const { component } = drawn.node;
  const reach = reachOf(drawn, links);
  const link =
    reach === null ? null : (links.rules.links.find((rule) => rule.component === component.name) ?? null);
  const account = accountOf({ sub: drawn.sub, link });
  const known = (name: string): string | undefined =>
    link === null || account === undefined ? undefined : accountText(link, account, name, links.settings);
  const port = known("port");
  return {
    component,
    sub: drawn.sub,
    reach,
    link,
    host: known("host") ?? component.host,
    port: port === undefined ? component.port : Number(port),
    username: known("username") ?? null,
    settings: (names) => settingsFor(link, names, links.settings),
  };
}

function settingsFor(
  link: LinkRule | null,
  names: Readonly<Record<string, string>>,
  settings: SettingsOf,
): Readonly<Record<string, string>> {
  if (link === null) return {};
  const own = settings(link.env);
  const entries = Object.entries(names).map(([variable, name]) => [variable, own.text(name, "")] as const);
  return Object.fromEntries(entries.filter(([, text]) => text !== ""));
}

/** What the row is about, then the other end of its link. */
export function placesOf(row: Row, links: Links): readonly Place[] {
  return [row.near, ...(row.far === null ? [] : [row.far])].map((drawn) => placeOf(drawn, links));
}

/** Linked components with a program that serves every row. */
export function ambientPlaces(row: Row, links: Links): readonly Place[] {
  const types = new Set(
    links.rules.executables.filter(({ ambient }) => ambient === true).flatMap((rule) => rule.types),
  );
  return row.index.nodes
    .filter(({ component }) => types.has(component.type) && links.reach.has(component.name))
    .map((node) => placeOf({ node, sub: null }, links));
}
