import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { twentyLinks } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { interleaved } from "./measure.ts";
import type { Case } from "./measure.ts";
import { pick } from "./suite.ts";
import type { Outcome, Suite } from "./suite.ts";
import { emptyNode, workplace } from "./workplace.ts";

const ROUNDS = 7;
const OPERATIONS = 100;
const CACHE = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const PACKAGES = join(CACHE, "topogate/peers/node_modules");

/** A document as a small service has one: a list, one item, a change and a removal of each of 25 things. */
function document(): object {
  const things = Array.from({ length: OPERATIONS / 4 }, (_, index) => `thing${index}`);
  const id = { name: "id", in: "path", required: true, schema: { type: "integer", minimum: 1 } };
  const limit = { name: "limit", in: "query", schema: { type: "integer", maximum: 100, default: 20 } };
  const answer = (name: string): object => ({
    "200": {
      description: "Found.",
      content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } },
    },
  });
  const paths = things.flatMap((name) => {
    const body = { content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } } };
    const operation = (verb: string, parameters: readonly object[], more: object = {}): object => ({
      operationId: `${verb}_${name}`,
      summary: `To ${verb} a ${name}.`,
      parameters,
      responses: answer(name),
      ...more,
    });
    return [
      [
        `/${name}`,
        { get: operation("list", [limit]), post: operation("create", [], { requestBody: body }) },
      ] as const,
      [`/${name}/{id}`, { get: operation("get", [id]), delete: operation("delete", [id]) }] as const,
    ];
  });
  const properties = {
    id: { type: "integer" },
    name: { type: "string", maxLength: 80 },
    tags: { type: "array", items: { type: "string" } },
    state: { type: "string", enum: ["new", "done"] },
  };
  const schemas = things.map((name) => [name, { type: "object", required: ["name"], properties }] as const);
  return {
    openapi: "3.0.3",
    info: { title: "Things", version: "1.0.0" },
    servers: [{ url: "http://things.example.com" }],
    paths: Object.fromEntries(paths),
    components: { schemas: Object.fromEntries(schemas) },
  };
}

const SYNTH = `const { App, Chart, ApiObject } = require(process.argv[2]);
const app = new App({ outdir: "made" });
for (let at = 0; at < 20; at++) {
  const chart = new Chart(app, "chart" + at);
  for (let each = 0; each < 5; each++)
    new ApiObject(chart, "map" + each, { apiVersion: "v1", kind: "ConfigMap", data: { key: "value " + each } });
}
app.synth();
`;

interface Peer {
  readonly name: string;
  /** Below the folder of the peers' packages, or the script of ours that uses one. */
  readonly program: string;
  readonly args: readonly string[];
  /** The most that we may take of its time. */
  readonly most: number;
}

const PEERS: readonly Peer[] = [
  {
    name: "openapi-mcp-generator",
    program: "openapi-mcp-generator/bin/openapi-mcp-generator.js",
    args: ["--input", "things.json", "--output", "made", "--force"],
    most: 0.6,
  },
  { name: "cdk8s", program: "synth.cjs", args: [join(PACKAGES, "cdk8s")], most: 0.6 },
  {
    name: "hey-api",
    program: "@hey-api/openapi-ts/bin/run.js",
    args: ["-i", "things.json", "-o", "made", "-c", "@hey-api/client-fetch"],
    most: 0.15,
  },
  {
    name: "orval",
    program: "orval/dist/bin/orval.js",
    args: ["--input", "things.json", "--output", "made/things.ts", "--mode", "split", "--client", "mcp"],
    most: 0.15,
  },
];

const remove = (path: string) => () => rmSync(path, { recursive: true, force: true });

function caseOf({ name, program, args }: Peer): Case {
  const place = workplace(`peer-${name}`, "memory");
  writeFileSync(place.path("things.json"), JSON.stringify(document(), null, 1));
  writeFileSync(place.path("synth.cjs"), SYNTH);
  const path = program === "synth.cjs" ? place.path(program) : join(PACKAGES, program);
  return { name, command: { node: [path, ...args] }, cwd: place.folder, before: remove(place.path("made")) };
}

const filesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

function measure(program: string): Outcome {
  if (!existsSync(PACKAGES)) return { figures: [], goals: [], facts: { skipped: "bash bench/peers.sh" } };
  const ours = workplace("peers-ours", "memory");
  ours.draw("twenty", twentyLinks());
  const cases = PEERS.map(caseOf);
  const own: Case = {
    name: "20 links, fresh",
    command: { node: [program, "generate"] },
    cwd: ours.folder,
    before: remove(ours.path("out")),
  };
  const figures = interleaved([emptyNode, own, ...cases], ROUNDS);
  const { medianMs } = pick(figures, own.name);
  const goals = PEERS.map(({ name, most }): Goal => ({
    id: "G5",
    what: `20 links, fresh, against ${name}`,
    measured: medianMs / pick(figures, name).medianMs,
    most,
    unit: "times",
  }));
  const made = cases.map(({ name, cwd }) => [`files of ${name}`, filesIn(join(cwd, "made"))] as const);
  const facts = {
    operations: OPERATIONS,
    "files of 20 links": filesIn(ours.path("out")),
    ...Object.fromEntries(made),
  };
  for (const { cwd } of [own, ...cases]) remove(cwd)();
  return { figures: [...figures.values()], goals, facts };
}

export const peersSuite: Suite = {
  name: "peers",
  about: "Other generators on one document of 100 operations, or 100 objects, in memory.",
  run: measure,
};
