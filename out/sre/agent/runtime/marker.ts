/**
 * What an approved call can leave on whatever it makes that has room for it. It says where to look, and proves nothing:
 * the audit does that.
 */
export interface Marker {
  /** `<!-- mcp:<argsSha> -->`, as the proposal has it. */
  readonly text: string;
  readonly argsSha: string;
  /** Who approved, in characters that end no comment and no header. */
  readonly approver: string;
}

export function markerOf(argsSha: string): string {
  return `<!-- mcp:${argsSha} -->`;
}

export function markerBy(argsSha: string, approvedBy: string): Marker {
  const approver = approvedBy
    .replaceAll(/[^\w:.@/%-]/g, "_")
    .replaceAll("--", "-_")
    .slice(0, 128);
  return { text: markerOf(argsSha), argsSha, approver };
}

/** For people, at the end of a text that people read. */
export function footerOf({ text, approver }: Marker): string {
  return `approved by ${approver} ${text}`;
}

/** One line of plain ASCII, for a header or the comment of a statement. */
export function markerLine({ argsSha, approver }: Marker): string {
  return `mcp:${argsSha} approved by ${approver}`;
}

/** In front of a statement, so that its server's log leads back to the proposal; nothing where nobody approved. */
export function markerComment(marker: Marker | undefined): string {
  return marker === undefined ? "" : `/* ${markerLine(marker)} */ `;
}

/** The name under which messages carry the line; nobody who sends one chooses a header of this name. */
export const MARKER_HEADER = "x-mcp-marker";
