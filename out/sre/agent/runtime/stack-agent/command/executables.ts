import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

/** Where programs are looked for; the PATH of this process plays no part. */
const SEARCH_PATH: readonly string[] = ["/usr/local/bin", "/usr/bin", "/bin"];

/** Finds a program's absolute path and remembers it; `undefined` for one that is not installed here. */
export type FindExecutable = (name: string) => Promise<string | undefined>;

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(await realpath(file))).isFile();
  } catch {
    return false;
  }
}

export function executablesIn(folders: readonly string[] = SEARCH_PATH): FindExecutable {
  const known = new Map<string, string>();
  return async (name) => {
    const remembered = known.get(name);
    if (remembered !== undefined) return remembered;
    for (const folder of folders) {
      const file = join(folder, name);
      if (!(await isExecutable(file))) continue;
      known.set(name, file);
      return file;
    }
    return undefined;
  };
}
