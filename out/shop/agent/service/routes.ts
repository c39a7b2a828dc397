import type { ServerResponse } from "node:http";
import { ToolFault } from "#runtime/fault";
import type { Engine } from "#runtime/stack-agent/engine";
import type { Tests } from "./tests.ts";

/** What a route is asked: the rest of its path, its query, and the body of a POST. */
export interface Question {
  readonly rest: string;
  /** What follows the question mark. */
  readonly search: string;
  readonly body: unknown;
  /** Closed when the client leaves. */
  readonly response: ServerResponse;
}

/** What answers: the drawing, and whoever runs commands in it. */
export interface Answering {
  readonly engine: Engine;
  readonly tests: Tests;
  /** Aborts when requests in flight have had their time. */
  readonly stop: AbortSignal;
}

/** Aborts when nobody waits for the answer any more. */
function signalFor({ response }: Question, { stop }: Answering): AbortSignal {
  const departure = new AbortController();
  response.once("close", () => departure.abort());
  return AbortSignal.any([departure.signal, stop]);
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

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

/** The query parameters of a GET; a misspelt or repeated one is said, not ignored. */
function parametersOf(search: string, known: readonly string[]): ReadonlyMap<string, string> {
  if (search === "") return NO_PARAMETERS;
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (!known.includes(name)) refuse("unknown query parameter", `there are: ${known.join(", ") || "none"}`);
    if (parameters.has(name)) refuse(`${name} stands in the query twice`, "give it once");
    parameters.set(name, value);
  }
  return parameters;
}

function pageOf(search: string): { readonly limit?: number; readonly cursor?: string } {
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

function flagIn(search: string, name: "pages" | "write"): boolean {
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
async function runOf(answering: Answering, question: Question): Promise<string> {
  const manner = { pages: true, mayWrite: true };
  const result = await answering.tests.run(question.body, manner, signalFor(question, answering));
  const { data, page, warnings = [] } = result;
  const { total = null, next_cursor = null } = page ?? {};
  return JSON.stringify({ ...(data as object), total, next_cursor, warnings });
}

export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    prefix: "/metadata/q",
    answer: (answering, question) => {
      const { engine } = answering;
      parametersOf(question.search, []);
      return isRun(question.body)
        ? runOf(answering, question)
        : engine.serialise(engine.query(question.body));
    },
  },
  {
    method: "POST",
    prefix: "/metadata/test",
    answer: async (answering, question) => {
      const { search, body } = question;
      const manner = { pages: flagIn(search, "pages"), mayWrite: flagIn(search, "write") };
      return JSON.stringify(await answering.tests.run(body, manner, signalFor(question, answering)));
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

const WITH_NAME = ROUTES.filter(({ prefix }) => prefix.endsWith("/"));
const BY_PATH = new Map(
  ROUTES.filter((route) => !WITH_NAME.includes(route)).map((route) => [route.prefix, route]),
);

/** The route of a path, whatever the method. */
export function routeOf(path: string): Route | undefined {
  const exact = BY_PATH.get(path);
  if (exact !== undefined) return exact;
  return WITH_NAME.find(({ prefix }) => path.startsWith(prefix) && path.length > prefix.length);
}
