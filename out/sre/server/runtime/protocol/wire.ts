import type { Completion, ContentService, PromptListing, Refusal } from "#runtime/protocol/content-service";
import type { ToolAnswer, ToolListing } from "#runtime/protocol/mcp-service";

/** Tools in the shape that both MCP libraries send: an object schema says so itself. */
export function wireTools(listings: readonly ToolListing[]) {
  return listings.map((listing) => ({
    ...listing,
    inputSchema: { ...listing.inputSchema, type: "object" as const },
    outputSchema: { ...listing.outputSchema, type: "object" as const },
  }));
}

/** An answer in the shape that both MCP libraries send; they want objects and lists that they could change. */
export function wireResult({ content, structuredContent, waits: _waits, ...rest }: ToolAnswer) {
  const structured = structuredContent === undefined ? {} : { structuredContent: { ...structuredContent } };
  return { ...rest, content: [...content], ...structured };
}

/** As an error that both libraries turn into the JSON-RPC error of its code. */
function demand<T extends object>(reply: T | Refusal): Exclude<T, Refusal> {
  if (!("refusal" in reply)) return reply as Exclude<T, Refusal>;
  const { code, message } = reply.refusal;
  throw Object.assign(new Error(message), { code });
}

export function wirePrompts(listings: readonly PromptListing[]) {
  return listings.map((listing) => ({
    ...listing,
    arguments: [...listing.arguments],
    _meta: { ...listing._meta },
  }));
}

type Reply<K extends keyof ContentService> = Awaited<ReturnType<ContentService[K]>>;

/** The drawing was written by people for people: what of it AI reads is data like any other. */
export function wireResource(uri: string, reply: Reply<"readResource">) {
  const { mimeType, text } = demand(reply);
  return { contents: [{ uri, mimeType, text }], _meta: { "governance/authority": "untrusted" } };
}

export function wirePrompt(reply: Reply<"getPrompt">) {
  const { description, text, meta } = demand(reply);
  return {
    description,
    messages: [{ role: "user" as const, content: { type: "text" as const, text } }],
    _meta: { ...meta },
  };
}

export function wireCompletion(reply: Reply<"complete">) {
  const { values, hasMore }: Completion = demand(reply);
  return { completion: { values: [...values], hasMore } };
}
