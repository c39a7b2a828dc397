import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { ToolFault } from "#runtime/fault";

type Arguments = Readonly<Record<string, unknown>>;
type Positions = ReadonlyMap<number, bigint>;

/** The place in each partition, as a cursor that belongs to these arguments. */
export function encodePositions(tool: string, args: Arguments, positions: Positions): string {
  return encodeCursor(
    tool,
    args,
    [...positions].map(([partition, offset]) => `${partition}:${offset}`).join(),
  );
}

/** A cursor can be forged; what it holds is checked like every other argument. */
export function decodePositions(tool: string, args: Arguments, cursor: string): Positions {
  const written = String(decodeCursor(tool, args, cursor)).split(",");
  const pairs = written.map((each) => /^(\d{1,6}):(\d{1,18})$/.exec(each));
  return new Map(
    pairs.map((pair) => {
      if (pair === null) throw new ToolFault("invalid_argument", "the cursor does not belong to this call");
      return [Number(pair[1]), BigInt(pair[2] ?? 0)] as const;
    }),
  );
}
