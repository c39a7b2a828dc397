import type { Settings } from "#runtime/settings";
import type { Reach } from "#runtime/stack-agent/reach";
import type { Place as Drawn } from "#runtime/stack-agent/topology-index";
import type { Row } from "#runtime/stack-agent/variables";
import type { AccountValue, Place } from "./place.ts";
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

/** The account for the sub-component, else the one on the component as a whole. */
function accountFor(link: LinkRule, { sub }: Drawn): AccountRule | undefined {
  return link.accounts.find(
    (account) => account.sub === null || (account.sub === sub?.name && account.kind === sub.kind),
  );
}

function accountValue(account: AccountRule, name: string, settings: Settings): AccountValue {
  const variable = Object.hasOwn(account.variables, name) ? account.variables[name] : undefined;
  if (variable === undefined) return undefined;
  if (variable.secret) return { is: "secret", secret: settings.secret(variable.name) };
  const text = settings.text(variable.name, variable.value ?? "");
  return text === "" ? undefined : { is: "text", text };
}

function settingsFor(names: Readonly<Record<string, string>>, settings: Settings): Record<string, string> {
  const entries = Object.entries(names).map(
    ([variable, name]) => [variable, settings.text(name, "")] as const,
  );
  return Object.fromEntries(entries.filter(([, text]) => text !== ""));
}

/** A place with what a link gives; what the link's settings say of host and port wins over the drawing. */
function linkedPlace(drawn: Drawn, reach: Place["reach"], links: Links): Place {
  const { component } = drawn.node;
  const link =
    reach === null ? null : (links.rules.links.find((rule) => rule.component === component.name) ?? null);
  const settings = link === null ? undefined : links.settings(link.env);
  const rule = link === null ? undefined : accountFor(link, drawn);
  const account = (name: string): AccountValue =>
    rule === undefined || settings === undefined ? undefined : accountValue(rule, name, settings);
  const text = (name: string): string | undefined => {
    const value = account(name);
    return value?.is === "text" ? value.text : undefined;
  };
  const port = text("port");
  return {
    component,
    sub: drawn.sub,
    reach,
    link,
    host: text("host") ?? component.host,
    port: port === undefined ? component.port : Number(port),
    username: text("username") ?? null,
    account,
    settings: (names) => (settings === undefined ? {} : settingsFor(names, settings)),
  };
}

/** What the row is about, then the other end of its link. */
export function placesOf(row: Row, links: Links): readonly Place[] {
  const drawn = row.far === null ? [row.near] : [row.near, row.far];
  return drawn.map((place) => linkedPlace(place, reachOf(place, links), links));
}

/** Linked components with a program that serves every row; a link narrowed to a part of them is one, too. */
export function ambientPlaces(row: Row, links: Links): readonly Place[] {
  const ambient = links.rules.executables.filter((rule) => rule.ambient === true);
  const types = new Set(ambient.flatMap((rule) => rule.types));
  return row.index.nodes.flatMap((node) => {
    const reach = links.reach.get(node.component.name);
    const isWanted = types.has(node.component.type) && reach !== undefined;
    return isWanted ? [linkedPlace({ node, sub: null }, reach, links)] : [];
  });
}
