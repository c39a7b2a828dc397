import { runChild } from "./child-process.ts";
import { Executables } from "./executables.ts";
import type { Cleaner } from "./output.ts";
import type { Prepared } from "./prepare.ts";
import { CommandRefused } from "./refused.ts";
import { Slots } from "./slots.ts";

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
  const executables = new Executables(options.folders);
  const tools = new Executables();
  const slots = new Slots(options.parallel ?? PARALLEL, options.waiting ?? WAITING);
  return {
    demand: async (name) => void (await executables.demand(name)),
    run: async (prepared, until, signal) => {
      const file = await executables.demand(prepared.name);
      const wardens = { prlimit: await tools.find("prlimit"), setpriv: await tools.find("setpriv") };
      const spec = {
        file,
        args: prepared.args,
        environment: { ...MINIMAL, ...prepared.environment },
        input: prepared.input,
        wardens,
      };
      const result = await slots.use(signal, async () => {
        const timeoutMs = Math.max(1, until - performance.now());
        return await started(prepared.name, runChild({ ...spec, timeoutMs }, signal));
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
