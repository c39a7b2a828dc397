import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { CommandRefused } from "./refused.ts";

/** Where programs are looked for; the PATH of this process plays no part. */
export const SEARCH_PATH: readonly string[] = ["/usr/local/bin", "/usr/bin", "/bin"];

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(await realpath(file))).isFile();
  } catch {
    return false;
  }
}

/** Finds programs by absolute path and remembers where they are. */
export class Executables {
  readonly #folders: readonly string[];
  readonly #known = new Map<string, string>();

  constructor(folders: readonly string[] = SEARCH_PATH) {
    this.#folders = folders;
  }

  /** `undefined` for a program that is not installed here. */
  async find(name: string): Promise<string | undefined> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    for (const folder of this.#folders) {
      const file = join(folder, name);
      if (!(await isExecutable(file))) continue;
      this.#known.set(name, file);
      return file;
    }
    return undefined;
  }

  async demand(name: string): Promise<string> {
    const file = await this.find(name);
    if (file !== undefined) return file;
    throw new CommandRefused("not_installed", `${name} is not installed where the tests run`);
  }
}
