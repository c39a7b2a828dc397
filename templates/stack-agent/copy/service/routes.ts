import { ToolFault } from "#runtime/fault";
import type { Engine } from "#runtime/stack-agent/engine";

/** What a route is asked: the rest of its path, its query, and the body of a POST. */
export interface Question {
  readonly rest: string;
  readonly search: URLSearchParams;
  readonly body: unknown;
}

/** One resource of the agent; `prefix` ends in `/` when a name follows. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly prefix: string;
  /** The JSON text of the answer; throws a ToolFault for what the caller did wrong. */
  answer(engine: Engine, question: Question): string | Promise<string>;
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

export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    prefix: "/metadata/q",
    answer: (engine, { search, body }) => {
      parametersOf(search, []);
      return engine.serialise(engine.query(body));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/structure",
    answer: (engine, { search }) => JSON.stringify(engine.structure(pageOf(search))),
  },
  {
    method: "GET",
    prefix: "/metadata/fields/",
    answer: (engine, { rest, search }) => {
      parametersOf(search, []);
      return JSON.stringify(engine.fields(nameIn(rest)));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/profile",
    answer: (engine, { search }) => {
      const parameters = parametersOf(search, ["category"]);
      return JSON.stringify(engine.profile(parameters.get("category")));
    },
  },
  {
    method: "GET",
    prefix: "/metadata/summary",
    answer: (engine, { search }) => {
      parametersOf(search, []);
      return JSON.stringify(engine.summary());
    },
  },
  {
    method: "GET",
    prefix: "/metadata/dna",
    answer: (engine, { search }) => {
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
