import { runChild } from "./child-process.ts";
import { executablesIn } from "./executables.ts";
import type { Cleaner } from "./output.ts";
import type { Prepared } from "./prepare.ts";
import { CommandRefused } from "./refused.ts";
import { createSlots } from "./slots.ts";

/** What a program said, redacted. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly cut: boolean;
}

/** Starts programs that were made ready, and nothing else. */
export interface Programs {
  /** Rejects with a CommandRefused for a program that is not installed. */
  demand(name: string): Promise<void>;
  /** `until` is a time of `performance.now()`; waiting for a place counts. */
  run(prepared: Prepared, until: number, signal: AbortSignal): Promise<ProgramResult>;
}

export interface ProgramsOptions {
  readonly cleaner: Cleaner;
  /** Folders in which programs are looked for. */
  readonly folders?: readonly string[];
  readonly parallel?: number;
  readonly waiting?: number;
}

const PARALLEL = 4;
const WAITING = 64;
/** A program gets nothing of this process's environment. */
const MINIMAL = { LANG: "C.UTF-8", LC_ALL: "C.UTF-8", PATH: "/usr/local/bin:/usr/bin:/bin" };

/** A process that the system does not let start is no fault of the command. */
async function started<T>(name: string, child: Promise<T>): Promise<T> {
  try {
    return await child;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new CommandRefused(
      "not_installed",
      `${name} could not be started${code === "" ? "" : ` (${code})`}`,
    );
  }
}

export function createPrograms(options: ProgramsOptions): Programs {
  const { cleaner } = options;
  const find = executablesIn(options.folders);
  const findWarden = executablesIn();
  const slots = createSlots(options.parallel ?? PARALLEL, options.waiting ?? WAITING);
  const demand = async (name: string): Promise<string> => {
    const file = await find(name);
    if (file !== undefined) return file;
    throw new CommandRefused("not_installed", `${name} is not installed where the tests run`);
  };
  return {
    demand: async (name) => void (await demand(name)),
    run: async ({ name, args, environment, input }, until, signal) => {
      const spec = {
        file: await demand(name),
        args,
        environment: { ...MINIMAL, ...environment },
        input,
        wardens: { prlimit: await findWarden("prlimit"), setpriv: await findWarden("setpriv") },
      };
      const result = await slots.use(signal, async () => {
        const timeoutMs = Math.max(1, until - performance.now());
        return await started(name, runChild({ ...spec, timeoutMs }, signal));
      });
      const { exitCode, timedOut, stdout, stderr } = result;
      return {
        exitCode,
        stdout: cleaner.clean(stdout),
        stderr: cleaner.clean(stderr),
        timedOut,
        cut: stdout.cut,
      };
    },
  };
}
