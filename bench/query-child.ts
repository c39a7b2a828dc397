/** Asks the engine, a database and plain lists the same questions in turns: prints microseconds of each as JSON. */
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";
import { shuffled } from "./drawings.ts";
import { manyComponentsData } from "./query-data.ts";
import { engineOf, listsOf, sqliteOf } from "./query-peers.ts";
import type { Peer } from "./query-peers.ts";

const ROUNDS = 9;
const NAMES = 10_000;
/** Of questions that take microseconds: neither the clock nor what ran before must count. */
const BATCH = 2_000;
/** Answers of one question asked again and again, for the slowest in a hundred. */
const SINGLES = 20_000;

/** One question to one of the three; `batch` times in a row for the clock. */
interface Case {
  readonly name: string;
  readonly batch: number;
  ask(at: number): unknown;
}

const clock = (): number => Number(process.hrtime.bigint()) / 1000;

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** Names spread over the whole drawing, each a text of its own as a request would bring it. */
function namesIn({ components }: TopologyData): readonly string[] {
  const step = 7919;
  return Array.from(
    { length: NAMES },
    (_, at) => components[(at * step) % components.length]?.name ?? "",
  ).map((name) => Buffer.from(name).toString());
}

/** Questions with short answers; those with long ones would leave them a heap to clean up. */
function shortCases(who: string, peer: Peer, names: readonly string[], scans: boolean): readonly Case[] {
  const name = (at: number): string => names[at % names.length] ?? "";
  // Plain lists look at everything for each answer, so a large drawing gives them few questions.
  const batch = scans ? 3 : BATCH;
  return [
    { name: `${who}: component`, batch, ask: (at) => peer.component(name(at)) },
    { name: `${who}: links from`, batch, ask: (at) => peer.linksFrom(name(at)) },
    { name: `${who}: 50 of a type`, batch: scans ? 1 : 100, ask: (at) => peer.ofType(`type-${at % 15}`) },
  ];
}

function longCases(who: string, peer: Peer): readonly Case[] {
  return [
    { name: `${who}: users of a type`, batch: 1, ask: () => peer.users("type-0") },
    { name: `${who}: everything`, batch: 1, ask: () => peer.everything() },
  ];
}

/** Each round asks every case, in another order: none always follows one that has filled the caches. */
function measure(cases: readonly Case[], rounds: number): Record<string, readonly number[]> {
  const taken = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, batch, ask } of shuffled(cases, round + 1)) {
      const start = clock();
      for (let at = 0; at < batch; at++) ask(round * batch + at);
      if (round > 0) taken.get(name)?.push((clock() - start) / batch);
    }
  }
  return Object.fromEntries(taken);
}

/** The slowest in a hundred of single answers. */
function slowest(peer: Peer, names: readonly string[]): Readonly<Record<string, number>> {
  const of = (ask: (name: string) => unknown): number => {
    const taken: number[] = [];
    for (let at = 0; at < SINGLES; at++) {
      const name = names[at % names.length] ?? "";
      const start = clock();
      ask(name);
      taken.push(clock() - start);
    }
    return quantile(taken, 0.99);
  };
  return { component: of((name) => peer.component(name)), "links from": of((name) => peer.linksFrom(name)) };
}

/** The engine's index against reading the same data from its JSON. */
function building(data: TopologyData): Readonly<Record<string, readonly number[]>> {
  const text = JSON.stringify(data);
  const taken = { parse: [] as number[], build: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const start = clock();
    const parsed = JSON.parse(text) as TopologyData;
    const middle = clock();
    createEngine(parsed);
    if (round > 0) {
      taken.parse.push(middle - start);
      taken.build.push(clock() - middle);
    }
  }
  return taken;
}

function rowsIn(answer: unknown): unknown {
  const found = typeof answer === "string" ? (JSON.parse(answer) as unknown) : answer;
  return typeof found === "object" && found !== null && "rows" in found ? found.rows : found;
}

/** Questions that the three do not answer alike. */
function differences(peers: readonly Peer[], names: readonly string[]): number {
  const asked: readonly ((peer: Peer) => unknown)[] = [
    ...names.slice(0, 20).map((name) => (peer: Peer) => peer.component(name)),
    ...names.slice(0, 20).map((name) => (peer: Peer) => peer.linksFrom(name)),
    (peer) => peer.ofType("type-3"),
    (peer) => peer.users("type-0"),
  ];
  const canonical = (rows: unknown): string =>
    JSON.stringify((rows as readonly object[]).map((row) => JSON.stringify(row)).sort());
  return asked.filter((ask) => new Set(peers.map((peer) => canonical(rowsIn(ask(peer))))).size > 1).length;
}

function stringified(data: TopologyData): Case {
  const rows = data.components.map(({ name, type, namespace, group }) => ({ name, type, namespace, group }));
  return { name: "JSON.stringify of the same rows", batch: 1, ask: () => JSON.stringify({ rows }) };
}

/** A row is serialised at its first question: a large drawing with fewer rounds would be asked more first ones. */
function askAll(peers: readonly Peer[], names: readonly string[]): void {
  for (const peer of peers) {
    for (const name of names) {
      peer.component(name);
      peer.linksFrom(name);
    }
  }
}

function main(size: number): void {
  const data = manyComponentsData(size);
  const names = namesIn(data);
  const isHuge = size > 100_000;
  const built = isHuge ? {} : building(data);
  const engine = engineOf(data);
  const sqlite = sqliteOf(data);
  const lists = listsOf(data);
  const short = [
    ...shortCases("engine", engine, names, false),
    ...shortCases("better-sqlite3", sqlite, names, false),
    ...shortCases("plain lists", lists, names, size > 1_000),
  ];
  const long = [
    ...longCases("engine", engine),
    ...longCases("better-sqlite3", sqlite),
    ...longCases("plain lists", lists),
    stringified(data),
  ];
  const rounds = ROUNDS * (isHuge ? 1 : 3);
  askAll([engine, sqlite], names);
  const taken = { ...measure(short, rounds), ...measure(long, isHuge ? 3 : rounds) };
  const report = { taken: { ...taken, ...built }, slowest: slowest(engine, names) };
  const different = differences([engine, sqlite, lists], names);
  sqlite.close();
  process.stdout.write(`${JSON.stringify({ ...report, different })}\n`);
}

main(Number(process.argv[2]));
