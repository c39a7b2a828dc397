import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A whole process, started again for each round. */
export interface Case {
  readonly name: string;
  /** Arguments of Node, or a command with its arguments. */
  readonly command: { readonly node: readonly string[] } | { readonly other: readonly [string, ...string[]] };
  readonly cwd: string;
  /** Beside the environment of every process. */
  readonly env?: () => Readonly<Record<string, string>>;
  /** Not measured. */
  readonly before?: () => void;
}

export interface Sample {
  readonly ms: number;
  readonly memoryMb: number;
  readonly cpuMs: number;
}

export interface Figures {
  readonly name: string;
  readonly rounds: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly p90Ms: number;
  readonly cpuMs: number;
  /** Largest resident set, the median of the rounds; 0 for a process that is not Node. */
  readonly memoryMb: number;
}

const RESOURCES = fileURLToPath(new URL("resources.cjs", import.meta.url));

const { NODE_OPTIONS: _flags, ...INHERITED } = process.env;

/**
 * The environment as it is, for S as well: what a user's processes have. With `--clean` it is reduced, because
 * some variables (`NODE_EXTRA_CA_CERTS` on Node 20) make every start of Node slower, and ratios with it smaller.
 */
const ENVIRONMENT: NodeJS.ProcessEnv = process.argv.includes("--clean")
  ? { PATH: process.env["PATH"], HOME: process.env["HOME"] }
  : INHERITED;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What a preloaded file wrote to descriptor 3. */
  readonly told: string;
  readonly ms: number;
}

export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  more: Readonly<Record<string, string>> = {},
): Ended {
  const start = performance.now();
  const ended = spawnSync(command, args, {
    cwd,
    env: { ...ENVIRONMENT, ...more },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    maxBuffer: 1 << 26,
  });
  const ms = performance.now() - start;
  if (ended.error !== undefined) throw ended.error;
  return {
    status: ended.status,
    stdout: ended.stdout,
    stderr: ended.stderr,
    told: ended.output[3] ?? "",
    ms,
  };
}

function sample(each: Case): Sample {
  each.before?.();
  const [command, args] =
    "node" in each.command
      ? [process.execPath, ["--require", RESOURCES, ...each.command.node]]
      : [each.command.other[0], each.command.other.slice(1)];
  const ended = run(command, args, each.cwd, each.env?.());
  if (ended.status !== 0)
    throw new Error(`${each.name} exited ${ended.status}:\n${ended.stdout}${ended.stderr}`);
  const told = ended.told === "" ? { memoryMb: 0, cpuMs: 0 } : (JSON.parse(ended.told) as Omit<Sample, "ms">);
  return { ms: ended.ms, ...told };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

function figuresOf(name: string, samples: readonly Sample[]): Figures {
  const ms = samples.map((each) => each.ms);
  return {
    name,
    rounds: samples.length,
    medianMs: median(ms),
    minMs: Math.min(...ms),
    p90Ms: quantile(ms, 0.9),
    cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
    memoryMb: median(samples.map(({ memoryMb }) => memoryMb)),
  };
}

/**
 * Runs every case once in each round, starting with another one each time, so that whatever else the machine
 * does falls on all of them alike. Only ratios between figures of one call mean anything.
 */
export function interleaved(cases: readonly Case[], rounds: number): ReadonlyMap<string, Figures> {
  const samples = new Map<string, Sample[]>(cases.map(({ name }) => [name, []]));
  for (const each of cases) sample(each);
  for (let round = 0; round < rounds; round++) {
    cases.forEach((_, index) => {
      const each = cases[(index + round) % cases.length];
      if (each !== undefined) samples.get(each.name)?.push(sample(each));
    });
  }
  return new Map([...samples].map(([name, taken]) => [name, figuresOf(name, taken)]));
}
