import { factsOf } from "#hook";
import type { Facts } from "#hook";
import type imageHook from "../../hooks/image.ts";
import type { Workload } from "../../hooks/workload.ts";
import { isPolicyFile } from "./code.ts";
import type { CodeMap } from "./code.ts";

/** Runs TypeScript as it is; a digest in its place pins it for good. */
const BASE = "node:22.23.3-bookworm-slim";

export const COMMAND: readonly string[] = ["node", "start.mjs"];

/** Where the code of a workload is mounted; `node_modules` stands one level above. */
export function directoryOf({ folder }: Workload): string {
  return `/app/${folder}`;
}

/** What the Dockerfile shows; without `code` the image holds libraries and programs only. */
export function imageView(server: Workload, facts: Facts, code: readonly CodeMap[] | null): object {
  const { packages, files } = factsOf<typeof imageHook>(facts, "image");
  // The policy comes from beside the code: nothing outside of the folder can be copied.
  const maps = (code ?? []).filter((map) => map.files.every(({ file }) => !isPolicyFile(file)));
  const folders = maps.map((map) => {
    const [first] = map.files;
    const folder = first === undefined ? "" : first.path.slice(0, -first.key.length);
    return { files: [...map.files.map(({ path }) => path), `./${folder}`] };
  });
  return {
    isStandalone: code !== null,
    folders: [...folders, { files: ["policy.json", "./"] }],
    base: BASE,
    directory: directoryOf(server),
    port: server.port,
    command: COMMAND,
    hasPackages: packages.length > 0,
    packages: packages.join(" "),
    files,
  };
}
