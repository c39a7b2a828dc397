import { askRealm } from "#runtime/keycloak/admin";
import type { Account } from "#runtime/keycloak/admin";
import { eventOf } from "#runtime/keycloak/view";
import type { LoginEvent } from "#runtime/keycloak/view";
import { listOf } from "#runtime/json-shape";

/** Events that one call looks at, and how many a request brings. */
export const MAX_EVENTS = 2000;
const PAGE = 1000;
const TOP = 10;
const DAY_MS = 86_400_000;

type Filter = Readonly<Record<string, string | number | undefined>>;

/** Keycloak filters by day in every release, so that the exact time is compared here. */
export function dayOf(since: number): string {
  return new Date(Math.max(0, since - DAY_MS)).toISOString().slice(0, 10);
}

export interface Read {
  readonly events: readonly LoginEvent[];
  /** More events were there than were looked at. */
  readonly isCut: boolean;
}

/** Events since a time, newest first, as Keycloak gives them. */
export async function readEvents(
  account: Account,
  realm: string,
  filter: Filter,
  since: number,
  signal: AbortSignal,
): Promise<Read> {
  const events: LoginEvent[] = [];
  for (let first = 0; first <= MAX_EVENTS; first += PAGE) {
    const query = { ...filter, dateFrom: dayOf(since), first, max: PAGE };
    const page = listOf(await askRealm(account, realm, { path: ["events"], query, signal })).map(eventOf);
    const fresh = page.filter(({ at }) => at >= since);
    events.push(...fresh);
    if (page.length < PAGE || fresh.length < page.length)
      return { events, isCut: events.length > MAX_EVENTS };
  }
  return { events: events.slice(0, MAX_EVENTS), isCut: true };
}

function counted(
  values: Iterable<string | null>,
  most = TOP,
): readonly { readonly name: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .slice(0, most);
}

export function statsOf(events: readonly LoginEvent[]): object {
  const failed = events.filter(({ error }) => error !== null);
  return {
    events: events.length,
    logins: events.filter(({ type }) => type === "LOGIN").length,
    failed_logins: events.filter(({ type }) => type === "LOGIN_ERROR").length,
    by_type: counted(events.map(({ type }) => type)),
    by_error: counted(failed.map(({ error }) => error)),
    by_client: counted(events.map(({ client }) => client)),
    failing_ips: counted(failed.map(({ ip }) => ip)),
    failing_users: counted(failed.map(({ username, user_id }) => username ?? user_id)),
  };
}
