import { fileURLToPath } from "node:url";
import type { Goal } from "./goal.ts";
import { median, run } from "./measure.ts";
import type { Figures } from "./measure.ts";
import type { Outcome, Suite } from "./suite.ts";
import { ROOT } from "./workplace.ts";

const SIZES = [100, 10_000, 1_000_000] as const;
type Size = (typeof SIZES)[number];

/** What one child measured, in microseconds for one question. */
interface Report {
  readonly taken: Readonly<Record<string, readonly number[]>>;
  readonly slowest: Readonly<Record<string, number>>;
  readonly different: number;
}
type HttpReport = Readonly<Record<string, { readonly perSecond: number; readonly ratio: number }>>;

/** A drawing of a million components takes more than Node's usual heap. */
const HEAP = "--max-old-space-size=9000";

function child<T>(file: string, ...args: readonly string[]): T {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const ended = run(process.execPath, [HEAP, "--import", "tsx", path, ...args], ROOT);
  if (ended.status !== 0) throw new Error(`${file} exited ${ended.status}:\n${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

/** A thousand questions in milliseconds are as many microseconds for one. */
function figuresOf(size: Size, { taken }: Report): readonly Figures[] {
  return Object.entries(taken).map(([name, values]) => {
    const sorted = [...values].sort((a, b) => a - b);
    return {
      name: `${size} ${name}`,
      rounds: values.length,
      medianMs: median(values),
      minMs: sorted[0] ?? 0,
      p90Ms: sorted[Math.floor(sorted.length * 0.9)] ?? 0,
      cpuMs: 0,
      memoryMb: 0,
    };
  });
}

type Reports = ReadonlyMap<Size, Report>;

function at(reports: Reports, size: Size, name: string): number {
  const values = reports.get(size)?.taken[name];
  if (values === undefined) throw new Error(`no case "${name}" was measured with ${size} components`);
  return median(values);
}

function slowestGoals(reports: Reports): readonly Goal[] {
  return ([10_000, 1_000_000] as const).flatMap((size) =>
    Object.entries(reports.get(size)?.slowest ?? {}).map(([question, measured]) => ({
      id: "G7",
      what: `${size} components, ${question}: the slowest in a hundred`,
      measured,
      most: 10,
      unit: "microseconds",
    })),
  );
}

function growthGoals(reports: Reports): readonly Goal[] {
  return ["component", "links from", "50 of a type"].map((question) => ({
    id: "G7",
    what: `10000 to 1000000 components, ${question}`,
    measured: at(reports, 1_000_000, `engine: ${question}`) / at(reports, 10_000, `engine: ${question}`),
    most: 5,
    unit: "times",
  }));
}

function peerGoals(reports: Reports): readonly Goal[] {
  const engine = (question: string): number => at(reports, 10_000, `engine: ${question}`);
  return ["component", "links from"].flatMap((question) =>
    (
      [
        ["better-sqlite3", 0.2],
        ["plain lists", 0.01],
      ] as const
    ).map(([peer, most]) => ({
      id: "G7",
      what: `10000 components, ${question}, against ${peer}`,
      measured: engine(question) / at(reports, 10_000, `${peer}: ${question}`),
      most,
      unit: "times",
    })),
  );
}

function otherGoals(reports: Reports, http: HttpReport): readonly Goal[] {
  const size = 10_000;
  return [
    {
      id: "G7",
      what: "10000 components, everything, against JSON.stringify of the same rows",
      measured:
        at(reports, size, "engine: everything") / at(reports, size, "JSON.stringify of the same rows"),
      most: 1.3,
      unit: "times",
    },
    {
      id: "G7",
      what: "10000 components, the index, against JSON.parse of the same data",
      measured: at(reports, size, "build") / at(reports, size, "parse"),
      most: 1.5,
      unit: "times",
    },
    ...Object.entries(http).map(([rows, { ratio }]) => ({
      id: "G7",
      what: `requests to a bare server for one to the agent, ${rows}`,
      measured: 1 / ratio,
      most: 1 / 0.9,
      unit: "times",
    })),
    {
      id: "G7",
      what: "questions that engine, database and lists do not answer alike",
      measured: [...reports.values()].reduce((sum, { different }) => sum + different, 0),
      most: 0,
      unit: "questions",
    },
  ];
}

function measure(): Outcome {
  const reports: Reports = new Map(
    SIZES.map((size) => [size, child<Report>("query-child.ts", String(size))] as const),
  );
  const http = child<HttpReport>("query-http.ts");
  const goals = [
    ...slowestGoals(reports),
    ...growthGoals(reports),
    ...peerGoals(reports),
    ...otherGoals(reports, http),
  ];
  const perSecond = Object.entries(http).map(
    ([rows, { perSecond: count }]) => [`requests a second, ${rows}`, Math.round(count)] as const,
  );
  return {
    figures: SIZES.flatMap((size) =>
      figuresOf(size, reports.get(size) ?? { taken: {}, slowest: {}, different: 0 }),
    ),
    goals,
    facts: { "a figure is": "a thousand questions", ...Object.fromEntries(perSecond) },
  };
}

export const queriesSuite: Suite = {
  name: "queries",
  about:
    "The stack agent's engine beside better-sqlite3 and plain lists, and its HTTP server beside a bare one.",
  run: measure,
};
