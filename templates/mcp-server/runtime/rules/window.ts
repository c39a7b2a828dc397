/** When changes are welcome; outside of it a call is refused. */
export interface ChangeWindow {
  /** `mon` to `sun`. */
  readonly days: readonly string[];
  /** `09:00`; a window whose end is not after its start goes on past midnight. */
  readonly from: string;
  readonly to: string;
  /** As the IANA database names it. */
  readonly timezone: string;
}

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

function localTime(now: Date, timezone: string): { readonly day: string; readonly time: string } {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(now);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? "";
  return { day: part("weekday").toLowerCase(), time: `${part("hour")}:${part("minute")}` };
}

export function isOpen({ days, from, to, timezone }: ChangeWindow, now: Date): boolean {
  const { day, time } = localTime(now, timezone);
  if (from < to) return days.includes(day) && time >= from && time < to;
  const yesterday = DAYS[(DAYS.indexOf(day) + 6) % 7] ?? "";
  return (days.includes(day) && time >= from) || (days.includes(yesterday) && time < to);
}

export function windowText({ days, from, to, timezone }: ChangeWindow): string {
  return `${days.join(", ")} from ${from} to ${to} ${timezone}`;
}
