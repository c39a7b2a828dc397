import { isPolicyFile } from "./code.ts";
import type { Pod } from "./pod.ts";

/** Runs TypeScript as it is; a digest in its place pins it for good. */
const BASE = "node:22.23.3-bookworm-slim";

/** What the Dockerfile shows; without `isStandalone` the image holds no code. */
export function imageView(pod: Pod, isStandalone: boolean): object {
  // The policy comes from beside the code: nothing outside of the folder can be copied.
  const maps = pod.code.filter(({ files }) => files.every(({ file }) => !isPolicyFile(file)));
  const folders = maps.map(({ files }) => {
    const [first] = files;
    const folder = first === undefined ? "" : first.path.slice(0, -first.key.length);
    return { files: [...files.map(({ path }) => path), `./${folder}`] };
  });
  return {
    isStandalone,
    folders: [...folders, { files: ["policy.json", "./"] }],
    base: BASE,
    directory: pod.directory,
    port: pod.port,
    command: pod.command,
  };
}
