import { openDatabase } from "./sqlite.ts";
import type { Database } from "./sqlite.ts";
import { createEngine } from "#runtime/stack-agent/engine";
import type { TopologyData } from "#runtime/stack-agent/topology-data";

/** The same questions, asked of the engine, of a database with indexes, and of plain lists. */
export interface Peer {
  component(name: string): unknown;
  linksFrom(name: string): unknown;
  /** The JSON text of the first fifty components of a type. */
  ofType(type: string): string;
  /** Sub-components of a type that have a user: two fields of each. */
  users(type: string): unknown;
  /** The JSON text of every component. */
  everything(): string;
}

const PAGE = 50;

export function engineOf(data: TopologyData): Peer & { componentText(name: string): string } {
  const engine = createEngine(data);
  const users = { target: "sub_components", where: { username__exists: true }, select: ["name", "username"] };
  return {
    component: (name) => engine.query({ source: name }),
    componentText: (name) => engine.serialise(engine.query({ source: name })),
    linksFrom: (name) => engine.query({ source: name, target: "links_from" }),
    ofType: (type) => engine.serialise(engine.query({ source: `type:${type}`, limit: PAGE })),
    users: (type) => engine.query({ source: `type:${type}`, ...users }),
    everything: () => engine.serialise(engine.query({ source: "all" })),
  };
}

const TABLES = `
  CREATE TABLE component (name TEXT PRIMARY KEY, type TEXT, namespace TEXT, grp TEXT) WITHOUT ROWID;
  CREATE TABLE sub (component TEXT, type TEXT, name TEXT, username TEXT);
  CREATE TABLE link (id TEXT, name TEXT, source TEXT, target TEXT, access TEXT);
`;
const INDEXES = `
  CREATE INDEX by_type ON component (type);
  CREATE INDEX sub_by_type ON sub (type);
  CREATE INDEX link_by_target ON link (target);
`;

function fill(database: Database, { components, links }: TopologyData): void {
  const component = database.prepare("INSERT INTO component VALUES (?, ?, ?, ?)");
  const sub = database.prepare("INSERT INTO sub VALUES (?, ?, ?, ?)");
  const link = database.prepare("INSERT INTO link VALUES (?, ?, ?, ?, ?)");
  database.transaction(() => {
    for (const { name, type, namespace, group, subs } of components) {
      component.run(name, type, namespace, group);
      for (const each of subs) sub.run(name, type, each.name, each.attributes["username"] ?? null);
    }
    for (const { id, name, from, to, access } of links)
      link.run(id, name, from.component, to.component, access);
  })();
}

export function sqliteOf(data: TopologyData): Peer & { close(): void } {
  const database = openDatabase();
  database.exec(TABLES);
  fill(database, data);
  database.exec(INDEXES);
  const columns = 'name, type, namespace, grp AS "group"';
  const component = database.prepare(`SELECT ${columns} FROM component WHERE name = ?`);
  const linksFrom = database.prepare(
    "SELECT name AS link, source AS component, access FROM link WHERE target = ?",
  );
  const ofType = database.prepare(`SELECT ${columns} FROM component WHERE type = ? LIMIT ${PAGE}`);
  const users = database.prepare("SELECT name, username FROM sub WHERE type = ? AND username IS NOT NULL");
  const everything = database.prepare(`SELECT ${columns} FROM component`);
  return {
    component: (name) => component.all(name),
    linksFrom: (name) => linksFrom.all(name),
    ofType: (type) => JSON.stringify(ofType.all(type)),
    users: (type) => users.all(type),
    everything: () => JSON.stringify(everything.all()),
    close: () => database.close(),
  };
}

/** What one would write without an engine. */
export function listsOf({ components, links }: TopologyData): Peer {
  const shown = ({ name, type, namespace, group }: TopologyData["components"][number]): object => ({
    name,
    type,
    namespace,
    group,
  });
  return {
    component: (wanted) => components.filter(({ name }) => name === wanted).map(shown),
    linksFrom: (wanted) =>
      links
        .filter(({ to }) => to.component === wanted)
        .map(({ name, from, access }) => ({ link: name, component: from.component, access })),
    ofType: (wanted) =>
      JSON.stringify(
        components
          .filter(({ type }) => type === wanted)
          .slice(0, PAGE)
          .map(shown),
      ),
    users: (wanted) =>
      components
        .filter(({ type }) => type === wanted)
        .flatMap(({ subs }) => subs)
        .filter(({ attributes }) => attributes["username"] !== null)
        .map(({ name, attributes }) => ({ name, username: attributes["username"] })),
    everything: () => JSON.stringify(components.map(shown)),
  };
}
