import type { Prompt, Resource } from "#runtime/content";
import { ToolFault } from "#runtime/fault";
import type { Registry } from "#runtime/registry";
import { defineModule } from "#runtime/tool";

interface Shelf {
  readonly password: string;
  readonly books: readonly string[];
}

/** Enough that one completion cannot hold them all. */
const BOOKS = Array.from({ length: 150 }, (_, at) => `book-${String(at).padStart(3, "0")}`);

export const GUIDE = "# The shelf\n\nAsk for a book by its name.\n";
export const REVIEW = "# Review `<book>`\n\nIn the tone: <tone>. Leave <other> alone.\n";

const RESOURCES: readonly Resource<Shelf>[] = [
  {
    uri: "shelf://guide",
    name: "guide",
    title: "Guide",
    description: "How to use the shelf.",
    mimeType: "text/markdown",
    text: () => GUIDE,
  },
  {
    uri: "shelf://books",
    name: "books",
    title: "Books",
    description: "All books.",
    mimeType: "application/json",
    read: async ({ client }) => ({ books: client.books, note: `opened with ${client.password}` }),
  },
  {
    uri: "shelf://flood",
    name: "flood",
    title: "Flood",
    description: "More than fits.",
    mimeType: "application/json",
    read: async () => ({ rows: Array.from({ length: 20_000 }, (_, at) => ({ at, text: "x".repeat(40) })) }),
  },
  {
    uri: "shelf://burnt",
    name: "burnt",
    title: "Burnt",
    description: "Cannot be read.",
    mimeType: "application/json",
    read: async ({ client }) => {
      throw new ToolFault("upstream_unavailable", `the shelf burnt with ${client.password}`);
    },
  },
  {
    uri: "shelf://broken",
    name: "broken",
    title: "Broken",
    description: "Fails unexpectedly.",
    mimeType: "application/json",
    read: async () => {
      throw new Error("at /srv/shelf/secret-path.ts");
    },
  },
];

const PROMPTS: readonly Prompt[] = [
  {
    name: "review_book",
    version: "2.1.0",
    title: "Review a book",
    description: "A review in some tone.",
    arguments: [
      { name: "book", description: "Which book.", required: true, of: "book" },
      { name: "tone", description: "How it should sound.", required: false, fallback: "friendly" },
    ],
    text: () => REVIEW,
  },
];

/** A registry with a link that offers resources and prompts, and no tool. */
export function withShelf(registry: Registry): Registry {
  const shelf = defineModule<Shelf>({
    link: {
      id: "mcp->shelf",
      component: "shelf",
      type: "shelf",
      env: "MCP_SHELF",
      host: "shelf.internal",
      port: 80,
    },
    open: (settings) => ({ password: settings.secret("PASSWORD")?.reveal() ?? "", books: BOOKS }),
    close: async () => undefined,
    tools: [],
    resources: RESOURCES,
    prompts: PROMPTS,
    complete: async (_of, typed, { client }) => client.books.filter((book) => book.startsWith(typed)),
  });
  return { ...registry, modules: [...registry.modules, shelf] };
}
