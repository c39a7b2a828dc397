import { shownMatcher } from "#runtime/alertmanager/matcher";
import type { Matcher } from "#runtime/alertmanager/matcher";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_SHOWN_MATCHERS = 20;

export interface Silence {
  readonly id: string;
  readonly state: string;
  readonly matchers: readonly Matcher[];
  readonly starts_at: string;
  readonly ends_at: string;
  readonly created_by: string;
  readonly comment: string;
}

export function silenceOf(value: unknown): Silence {
  const { id, status, matchers, startsAt, endsAt, createdBy, comment } = recordOf(value);
  return {
    id: cutText(id, 40),
    state: cutText(recordOf(status)["state"], 20),
    matchers: listOf(matchers).slice(0, MAX_SHOWN_MATCHERS).map(shownMatcher),
    starts_at: cutText(startsAt, 40),
    ends_at: cutText(endsAt, 40),
    created_by: cutText(createdBy, 100),
    comment: cutText(comment, 300),
  };
}

/** Those that end first come first. */
export function compareSilences(a: Silence, b: Silence): number {
  const key = ({ ends_at, id }: Silence): string => `${ends_at} ${id}`;
  return key(a) < key(b) ? -1 : 1;
}
