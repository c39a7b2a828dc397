/** Something that has to hold, and whether it did. */
export interface Goal {
  readonly id: string;
  readonly what: string;
  readonly measured: number;
  readonly most: number;
  readonly unit: string;
}

export function isReached({ measured, most }: Goal): boolean {
  return measured <= most;
}

const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));

export function goalLine(goal: Goal): string {
  const word = isReached(goal) ? "reached" : "MISSED ";
  return `${word}  ${goal.id.padEnd(4)} ${goal.what}: ${shown(goal.measured)} of at most ${shown(goal.most)} ${goal.unit}`;
}
