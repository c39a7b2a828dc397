import { decodeCursor, encodeCursor } from "#runtime/cursor";
import { availableFields } from "./available-fields.ts";
import type { AvailableFields } from "./available-fields.ts";
import { previewRow, refuseRun } from "./command.ts";
import { stackDna } from "./dna.ts";
import type { StackDna } from "./dna.ts";
import { fieldReader, vocabularyOf } from "./fields.ts";
import type { Vocabulary } from "./fields.ts";
import { environmentProfile } from "./profile.ts";
import type { EnvironmentProfile } from "./profile.ts";
import { parseQuery } from "./query.ts";
import type { Command, Query } from "./query.ts";
import { isReached, reachOf } from "./reach.ts";
import type { Reach } from "./reach.ts";
import { answerRow, rowsOf } from "./rows.ts";
import { nodesOf } from "./source.ts";
import { stackStructure } from "./structure.ts";
import type { StackStructure } from "./structure.ts";
import { stackSummary } from "./summary.ts";
import type { StackSummary } from "./summary.ts";
import type { TopologyData } from "./topology-data.ts";
import { buildIndex } from "./topology-index.ts";
import type { AnswerRow, Node, TopologyIndex } from "./topology-index.ts";
import type { Row } from "./variables.ts";
import { compileWhere } from "./where.ts";

export interface Answer {
  readonly rows: readonly AnswerRow[];
  /** `null` when counting would have meant looking further than the limit. */
  readonly total: number | null;
  readonly next_cursor: string | null;
  readonly warnings: readonly string[];
}

/** Rows as they are found, before anybody shows them. */
export interface FoundRows {
  readonly rows: readonly Row[];
  readonly command: Command | null;
  readonly next_cursor: string | null;
}

/** The drawing as a database. Pure: the same data and the same question give the same answer. */
export interface Engine {
  /**
   * Answers `{source, target, where, select, limit, cursor, include_mcp, command, on_success, on_failure,
   * verify_delay, dry_run}`. Anything else is an `invalid_argument` that says what to write instead; a
   * command without `dry_run` is a `command_mode_off`.
   */
  query(body: unknown): Answer;
  /** The rows of such a question and its command, for those who run commands. */
  find(body: unknown): FoundRows;
  /** The JSON text of an answer; rows of whole components are serialised once in the engine's life. */
  serialise(answer: Answer): string;
  structure(page?: { readonly limit?: number; readonly cursor?: string }): StackStructure;
  /** The variables that a command may use on a component, with their values; secrets are `***`. */
  fields(component: string): AvailableFields;
  /** The inventory by category, and what of it AI reaches. */
  profile(category?: string): EnvironmentProfile;
  summary(): StackSummary;
  /** The whole stack in one answer; a stack that is too large for that says what was left out. */
  dna(): StackDna;
}

interface State {
  readonly index: TopologyIndex;
  readonly vocabulary: () => Vocabulary;
  readonly reach: () => Reach;
  readonly texts: WeakMap<AnswerRow, string>;
}

const CURSOR = "metadata";

/** Where the next page starts: the component's place in the source, and the row's place in the component. */
function startOf(query: Query, args: Readonly<Record<string, unknown>>): readonly [number, number] {
  if (query.cursor === null) return [0, 0];
  const [node, row] = String(decodeCursor(CURSOR, args, query.cursor))
    .split(".")
    .map(Number);
  return [node ?? 0, row ?? 0];
}

interface Found {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

/** Walks the source until the limit is exceeded by one row, which proves that there is another page. */
function search(state: State, query: Query, nodes: readonly Node[], start: readonly [number, number]): Found {
  const matches = compileWhere(state.vocabulary, query.where);
  const limit = query.limit ?? Infinity;
  const rows: Row[] = [];
  for (let at = start[0]; at < nodes.length; at++) {
    const candidates = rowsOf(state.index, nodes[at] as Node, query.target, query.include_mcp);
    for (let inner = at === start[0] ? start[1] : 0; inner < candidates.length; inner++) {
      const row = candidates[inner] as Row;
      if (matches !== null && !matches(row)) continue;
      if (rows.length === limit) return { rows, next: `${at}.${inner}` };
      rows.push(row);
    }
  }
  return { rows, next: null };
}

/** How the query shows a row, decided once. */
function projection(state: State, query: Query, manySources: boolean): (row: Row) => AnswerRow {
  const { command, select, target } = query;
  if (command !== null) return (row) => previewRow(command, row);
  if (select === null) return (row) => answerRow(row, target, manySources);
  const readers = select.map((field) => [field, fieldReader(state.vocabulary, field)] as const);
  return (row) => Object.fromEntries(readers.map(([field, read]) => [field, read(row)]));
}

function totalOf(query: Query, nodes: readonly Node[], found: Found): number | null {
  const onePerComponent = query.target === "component" || query.target === "attributes";
  if (onePerComponent && Object.keys(query.where).length === 0) return nodes.length;
  return found.next === null && query.cursor === null ? found.rows.length : null;
}

/** `cnpg/app_db`, as the drawing writes it. */
function placeName({ near: { node, sub } }: Row): string {
  return sub === null ? node.component.name : `${node.component.name}/${sub.name}`;
}

/** What a run of these commands would be refused for, so that a preview promises nothing. */
function runWarnings(state: State, rows: readonly Row[]): readonly string[] {
  const reach = state.reach();
  const names = new Set(rows.filter((row) => !isReached(reach, row)).map(placeName));
  return names.size === 0
    ? []
    : [`no link leads there, a run would answer not_linked: ${[...names].join(", ")}`];
}

function answer(state: State, body: unknown): Answer {
  const query = parseQuery(body);
  if (query.command !== null && !query.command.dry_run) refuseRun();
  const nodes = nodesOf(state.index, query.source);
  const show = projection(state, query, nodes.length > 1);
  const { cursor: _cursor, limit: _limit, ...args } = query;
  const start = startOf(query, args);
  const found = search(state, query, nodes, start);
  return {
    rows: found.rows.map(show),
    total: totalOf(query, nodes, found),
    next_cursor: found.next === null ? null : encodeCursor(CURSOR, args, found.next),
    warnings: query.command === null ? [] : runWarnings(state, found.rows),
  };
}

function find(state: State, body: unknown): FoundRows {
  const query = parseQuery(body);
  const { cursor: _cursor, limit: _limit, ...args } = query;
  const found = search(state, query, nodesOf(state.index, query.source), startOf(query, args));
  return {
    rows: found.rows,
    command: query.command,
    next_cursor: found.next === null ? null : encodeCursor(CURSOR, args, found.next),
  };
}

function serialise(state: State, { rows, ...rest }: Answer): string {
  const texts = rows.map((row) => {
    if (!Object.isFrozen(row)) return JSON.stringify(row);
    const known = state.texts.get(row);
    if (known !== undefined) return known;
    const text = JSON.stringify(row);
    state.texts.set(row, text);
    return text;
  });
  return `{"rows":[${texts.join(",")}],${JSON.stringify(rest).slice(1)}`;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Builds the index; everything that only some questions need is made at the first of them. */
export function createEngine(data: TopologyData): Engine {
  const state: State = {
    index: buildIndex(data),
    vocabulary: once(() => vocabularyOf(data)),
    reach: once(() => reachOf(data)),
    texts: new WeakMap(),
  };
  return {
    query: (body) => answer(state, body),
    find: (body) => find(state, body),
    serialise: (answered) => serialise(state, answered),
    structure: (page = {}) => stackStructure(state.index, page),
    fields: (component) => availableFields(state.index, component),
    profile: (category) => environmentProfile(state.index, state.reach(), category),
    summary: () => stackSummary(state.index),
    dna: () => stackDna(state.index),
  };
}
