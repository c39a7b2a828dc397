import { median } from "./measure.ts";
import type { Figures } from "./measure.ts";

export interface Part {
  readonly name: string;
  run(): unknown;
}

interface Taken {
  readonly ms: number;
  /** Of the whole process: what else the machine does is not in it. */
  readonly cpuMs: number;
}

async function take(part: Part): Promise<Taken> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await part.run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1_000 };
}

function figuresOf(name: string, taken: readonly Taken[]): Figures {
  const ms = taken.map((each) => each.ms).sort((a, b) => a - b);
  return {
    name,
    rounds: taken.length,
    medianMs: median(ms),
    minMs: ms[0] ?? 0,
    p90Ms: ms[Math.floor(ms.length * 0.9)] ?? 0,
    cpuMs: median(taken.map(({ cpuMs }) => cpuMs)),
    memoryMb: 0,
  };
}

/** Each part once in each round, after one round that does not count: a warm process, one and the same load. */
export async function timed(parts: readonly Part[], rounds: number): Promise<readonly Figures[]> {
  const taken = new Map<string, Taken[]>(parts.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const part of parts) {
      const each = await take(part);
      if (round > 0) taken.get(part.name)?.push(each);
    }
  }
  return [...taken].map(([name, each]) => figuresOf(name, each));
}
