import { ToolFault } from "#runtime/fault";
import type { Engine } from "#runtime/stack-agent/engine";
import type { Tests } from "./tests.ts";

/** What a route is asked: the rest of its path, its query, and the body of a POST. */
export interface Question {
  readonly rest: string;
  readonly search: URLSearchParams;
  readonly body: unknown;
  /** One that aborts when the client leaves, or the agent stops. */
  readonly signal: () => AbortSignal;
}

/** What answers: the drawing, and whoever runs commands in it. */
export interface Answering {
  readonly engine: Engine;
  readonly tests: Tests;
}

/** One resource of the agent; `prefix` ends in `/` when a name follows. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly prefix: string;
  /** The JSON text of the answer; throws a ToolFault for what the caller did wrong. */
  answer(answering: Answering, question: Question): string | Promise<string>;
}

function refuse(message: string, hint: string): never {
  throw new ToolFault("invalid_argument", message, { hint });
}

/** The query parameters of a GET; a misspelt or repeated one is said, not ignored. */
function parametersOf(search: URLSearchParams, known: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of search) {
    if (!known.includes(name)) refuse("unknown query parameter", `there are: ${known.join(", ") || "none"}`);
    if (parameters.has(name)) refuse(`${name} stands in the query twice`, "give it once");
    parameters.set(name, value);
  }
  return parameters;
}

function pageOf(search: URLSearchParams): { readonly limit?: number; readonly cursor?: string } {
  const parameters = parametersOf(search, ["limit", "cursor"]);
  const limit = parameters.get("limit");
  const cursor = parameters.get("cursor");
  if (limit !== undefined && !/^[1-9]\d{0,5}$/.test(limit))
    refuse("limit must be a whole number from 1", "leave it out for everything");
  return {
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function nameIn(rest: string): string {
  try {
    return decodeURIComponent(rest);
  } catch {
    return refuse("the name in the path is not valid percent-encoding", "encode it as UTF-8");
  }
}

function flagIn(search: URLSearchParams, name: "pages" | "write"): boolean {
  const value = parametersOf(search, ["pages", "write"]).get(name);
  if (value === "true" || value === "false") return value === "true";
  return refuse(`${name} must be true or false`, "it says how the test is run");
}

/** A query whose command is to be run, and not shown; whether it is well formed is found out there. */
function isRun(body: unknown): boolean {
  if (typeof body !== "object" || body === null || !("command" in body)) return false;
  return !("dry_run" in body) || body.dry_run === false;
}

/** `{status, results, total, next_cursor, warnings}`. */
async function runOf(tests: Tests, body: unknown, signal: AbortSignal): Promise<string> {
  const { data, page, warnings = [] } = await tests.run(body, { pages: true, mayWrite: true }, signal);
  const { total = null, next_cursor = null } = page ?? {};
  return JSON.stringify({ ...(data as object), total, next_cursor, warnings });
}

export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    prefix: "/metadata/q",
    answer: ({ engine, tests }, { search, body, signal }) => {
      parametersOf(search, []);
      return isRun(body) ? runOf(tests, body, signal()) : engine.serialise(engine.query(body));
    },
  },
  {
    method: "POST",
    prefix: "/metadata/test",
    answer: async ({ tests }, { search, body, signal }) => {
      const manner = { pages: flagIn(search, "pages"), mayWrite: flagIn(search, "write") };
      return JSON.stringify(await tests.run(body, manner, signal()));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/structure",
    answer: ({ engine }, { search }) => JSON.stringify(engine.structure(pageOf(search))),
  },
  {
    method: "GET",
    prefix: "/metadata/fields/",
    answer: ({ engine }, { rest, search }) => {
      parametersOf(search, []);
      return JSON.stringify(engine.fields(nameIn(rest)));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/profile",
    answer: ({ engine }, { search }) => {
      const parameters = parametersOf(search, ["category"]);
      return JSON.stringify(engine.profile(parameters.get("category")));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/summary",
    answer: ({ engine }, { search }) => {
      parametersOf(search, []);
      return JSON.stringify(engine.summary());
    },
  },
  {
    method: "GET",
    prefix: "/metadata/dna",
    answer: ({ engine }, { search }) => {
      parametersOf(search, []);
      return JSON.stringify(engine.dna());
    },
  },
];

/** The route of a path, whatever the method. */
export function routeOf(path: string): Route | undefined {
  return ROUTES.find(({ prefix }) =>
    prefix.endsWith("/") ? path.startsWith(prefix) && path.length > prefix.length : path === prefix,
  );
}
