import { ask, askAgain } from "#runtime/external-mcp-server/connection";
import type { OtherServer } from "#runtime/external-mcp-server/connection";
import { definitionDigest } from "#runtime/external-mcp-server/pinned";
import type { PinnedTool } from "#runtime/external-mcp-server/pinned";
import { ToolFault } from "#runtime/fault";
import { cutText, listOf, recordOf } from "#runtime/json-shape";
import { shownTool } from "#runtime/tool";
import type { CallContext, Tool, ToolResult } from "#runtime/tool";

type Json = Readonly<Record<string, unknown>>;

/** Characters of one text in an answer. */
export const MAX_TEXT = 16_384;
export const MAX_BLOCKS = 100;
const MAX_REASON = 300;
const MAX_PAGES = 20;
const MAX_URI = 300;

/** What the other server offers now: a digest for each name, `null` where there is no telling. */
export async function offered(
  other: OtherServer,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>();
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const result = await askAgain(other, "tools/list", cursor === undefined ? {} : { cursor }, signal);
    for (const each of listOf(result["tools"])) {
      const name = String(recordOf(each)["name"]);
      // Two of one name: which of them a call would reach is anybody's guess.
      found.set(name, found.has(name) ? null : definitionDigest(each));
    }
    cursor = result["nextCursor"];
    if (typeof cursor !== "string") return found;
  }
  throw new ToolFault("too_large", `the other server has more than ${MAX_PAGES} pages of tools`);
}

export type State = "as reviewed" | "changed" | "gone";

export function stateOf({ upstream, pin }: PinnedTool, now: ReadonlyMap<string, string | null>): State {
  if (!now.has(upstream)) return "gone";
  return now.get(upstream) === pin ? "as reviewed" : "changed";
}

/** The listing is asked for before every call: what a server showed an hour ago says nothing about now. */
async function demandPin(tool: PinnedTool, other: OtherServer, signal: AbortSignal): Promise<void> {
  const state = stateOf(tool, await offered(other, signal));
  if (state === "as reviewed") return;
  const message =
    state === "gone"
      ? "the other server no longer has this tool"
      : "the other server's definition of this tool is not the one that was reviewed";
  throw new ToolFault("denied", message, {
    hint: "the operator must commit a new listing, generate and review the difference",
  });
}

/** Texts as they are, but bounded; of pictures, sound and files only what they are. */
function blockOf(block: unknown): Json {
  const { type, text, mimeType, data, uri, name, resource } = recordOf(block);
  const kind = cutText(type, 32);
  if (kind === "text") return { type: kind, text: cutText(text, MAX_TEXT) };
  if (kind === "resource") {
    const held = recordOf(resource);
    const shown = typeof held["text"] === "string" ? { text: cutText(held["text"], MAX_TEXT) } : {};
    return {
      type: kind,
      uri: cutText(held["uri"], MAX_URI),
      mime_type: cutText(held["mimeType"], 100),
      ...shown,
    };
  }
  if (kind === "resource_link") return { type: kind, name: cutText(name, 100), uri: cutText(uri, MAX_URI) };
  const bytes = typeof data === "string" ? Math.floor((data.length * 3) / 4) : 0;
  return { type: kind, mime_type: cutText(mimeType, 100), bytes };
}

function errorOf(blocks: readonly unknown[]): ToolFault {
  const texts = blocks
    .map((block) => cutText(recordOf(block)["text"], MAX_REASON))
    .filter((text) => text !== "");
  return new ToolFault(
    "upstream_unavailable",
    `the tool answered with an error: ${texts.join(" ").slice(0, MAX_REASON) || "no reason given"}`,
  );
}

function isCut(block: unknown): boolean {
  const { text, resource } = recordOf(block);
  const held = resource === undefined ? text : recordOf(resource)["text"];
  return typeof held === "string" && held.length > MAX_TEXT;
}

export function resultOf(result: Json): ToolResult {
  const blocks = listOf(result["content"] ?? []);
  if (result["isError"] === true) throw errorOf(blocks);
  // Made for programs, and the same as the texts beside it.
  const structured = result["structuredContent"];
  if (typeof structured === "object" && structured !== null) return { data: structured };
  const data = { content: blocks.slice(0, MAX_BLOCKS).map(blockOf) };
  const page = { returned: data.content.length, total: blocks.length, next_cursor: null };
  if (blocks.length > MAX_BLOCKS)
    return { data, page, truncation: { by: "rows", limit: MAX_BLOCKS, hint: "ask the tool for less" } };
  if (blocks.some(isCut))
    return { data, page, truncation: { by: "cells", limit: MAX_TEXT, hint: "ask the tool for less" } };
  return { data, page };
}

/** One row of the table as a tool: all rows share this handler. */
export function pinnedTool(tool: PinnedTool): Tool<OtherServer> {
  return {
    ...shownTool(tool),
    handler: async (args: Json, { client, signal }: CallContext<OtherServer>) => {
      await demandPin(tool, client, signal);
      const passed = Object.fromEntries(Object.entries(args).filter(([name]) => !tool.ours.includes(name)));
      return resultOf(await ask(client, "tools/call", { name: tool.upstream, arguments: passed }, signal));
    },
  };
}
