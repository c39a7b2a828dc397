import type { ToolAnswer, ToolListing } from "#runtime/mcp-service";

/** Tools in the shape that both MCP libraries send: an object schema says so itself. */
export function wireTools(listings: readonly ToolListing[]) {
  return listings.map((listing) => ({
    ...listing,
    inputSchema: { ...listing.inputSchema, type: "object" as const },
    outputSchema: { ...listing.outputSchema, type: "object" as const },
  }));
}

/** An answer in the shape that both MCP libraries send; they want objects and lists that they could change. */
export function wireResult({ content, structuredContent, ...rest }: ToolAnswer) {
  const structured = structuredContent === undefined ? {} : { structuredContent: { ...structuredContent } };
  return { ...rest, content: [...content], ...structured };
}
