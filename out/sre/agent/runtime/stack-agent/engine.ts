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
import { NO_WHERE, parseQuery } from "./query.ts";
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

/** All that decides which rows there are; a page may be as long as it likes. */
function cursorArgs(query: Query): Readonly<Record<string, unknown>> {
  const { source, target, where, select, include_mcp, command } = query;
  return { query: [source, target, where, select, include_mcp, command] };
}

const FIRST: readonly [number, number] = [0, 0];

/** Where the next page starts: the component's place in the source, and the row's place in the component. */
function startOf(query: Query): readonly [number, number] {
  if (query.cursor === null) return FIRST;
  const [node, row] = String(decodeCursor(CURSOR, cursorArgs(query), query.cursor))
    .split(".")
    .map(Number);
  return [node ?? 0, row ?? 0];
}

function cursorAfter(query: Query, { next }: Pick<Found, "next">): string | null {
  return next === null ? null : encodeCursor(CURSOR, cursorArgs(query), next);
}

interface Found {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

/** Walks the source until the limit is exceeded by one row, which proves that there is another page. */
function search(state: State, query: Query, nodes: readonly Node[]): Found {
  const [first, inside] = startOf(query);
  const matches = compileWhere(state.vocabulary, query.where);
  const limit = query.limit ?? Infinity;
  const rows: Row[] = [];
  for (let at = first; at < nodes.length; at++) {
    const candidates = rowsOf(state.index, nodes[at] as Node, query.target, query.include_mcp);
    for (let inner = at === first ? inside : 0; inner < candidates.length; inner++) {
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
  const readers = select.map((field) => ({ field, read: fieldReader(state.vocabulary, field) }));
  return (row) => {
    const shown: Record<string, unknown> = {};
    for (const { field, read } of readers) shown[field] = read(row);
    return shown;
  };
}

function totalOf(query: Query, nodes: readonly Node[], found: Found): number | null {
  const onePerComponent = query.target === "component" || query.target === "attributes";
  if (onePerComponent && query.where === NO_WHERE) return nodes.length;
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

/** Rows that are kept ready, and where the next page starts. */
interface Ready {
  readonly rows: readonly AnswerRow[];
  readonly next: string | null;
}

/** A page of whole components. */
function readyComponents(query: Query, nodes: readonly Node[]): Ready {
  const first = startOf(query)[0];
  const end = Math.min(nodes.length, first + (query.limit ?? nodes.length));
  const rows: AnswerRow[] = [];
  for (let at = first; at < end; at++) rows.push((nodes[at] as Node).row);
  return { rows, next: end < nodes.length ? `${end}.0` : null };
}

/** What a query that filters and picks nothing finds without a walk; `null` for any other. */
function readyRows(query: Query, nodes: readonly Node[]): Ready | null {
  const { target, where, select, command, cursor, include_mcp, limit } = query;
  if (where !== NO_WHERE || select !== null || command !== null) return null;
  if (target === "component") return readyComponents(query, nodes);
  const only = nodes[0];
  const isLinks = target === "links_to" || target === "links_from";
  if (!isLinks || include_mcp || cursor !== null || only === undefined || nodes.length > 1) return null;
  const rows = target === "links_to" ? only.linksTo : only.linksFrom;
  return limit === null || rows.length <= limit ? { rows, next: null } : null;
}

const NO_WARNINGS: readonly string[] = Object.freeze([]);

function answer(state: State, body: unknown): Answer {
  const query = parseQuery(body);
  if (query.command !== null && !query.command.dry_run) refuseRun();
  const nodes = nodesOf(state.index, query.source);
  const ready = readyRows(query, nodes);
  if (ready !== null) {
    const { rows } = ready;
    const total = query.target === "component" ? nodes.length : rows.length;
    return { rows, total, next_cursor: cursorAfter(query, ready), warnings: NO_WARNINGS };
  }
  const show = projection(state, query, nodes.length > 1);
  const found = search(state, query, nodes);
  return {
    rows: found.rows.map(show),
    total: totalOf(query, nodes, found),
    next_cursor: cursorAfter(query, found),
    warnings: query.command === null ? NO_WARNINGS : runWarnings(state, found.rows),
  };
}

function find(state: State, body: unknown): FoundRows {
  const query = parseQuery(body);
  const found = search(state, query, nodesOf(state.index, query.source));
  return { rows: found.rows, command: query.command, next_cursor: cursorAfter(query, found) };
}

/** Only rows that answers share are frozen, and only their texts are worth keeping. */
function rowText(row: AnswerRow, texts: State["texts"]): string {
  const known = texts.get(row);
  if (known !== undefined) return known;
  const text = JSON.stringify(row);
  if (Object.isFrozen(row)) texts.set(row, text);
  return text;
}

/** Written by hand, because a page of rows that are ready is most of what is ever asked. */
function serialise({ texts }: State, { rows, total, next_cursor, warnings }: Answer): string {
  let all = "";
  for (const row of rows) all += all === "" ? rowText(row, texts) : `,${rowText(row, texts)}`;
  const next = next_cursor === null ? "null" : JSON.stringify(next_cursor);
  const warned = warnings.length === 0 ? "[]" : JSON.stringify(warnings);
  return `{"rows":[${all}],"total":${total === null ? "null" : total},"next_cursor":${next},"warnings":${warned}}`;
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
