import { kubernetesName } from "#hook";
import type { EmittedFile, Report } from "#hook";
import type { Workload } from "../../hooks/workload.ts";

/** One file of the code, in its ConfigMap and in the pod. */
export interface CodeFile {
  /** In the output: `server/runtime/stage/execute.ts`. */
  readonly file: string;
  /** In the ConfigMap, whose keys cannot hold a folder: `execute.ts`. */
  readonly key: string;
  /** In the volume: `runtime/stage/execute.ts`. */
  readonly path: string;
}

/** The code of one folder: no ConfigMap has two files of one name, so keys need no encoding. */
export interface CodeMap {
  readonly name: string;
  readonly namespace: string;
  readonly files: readonly CodeFile[];
  readonly bytes: number;
}

/** What a ConfigMap may hold at most; the API server refuses more. */
export const MOST_BYTES = 1024 * 1024;

/** Read by people and by the image's build, never by the running server. */
const NOT_MOUNTED: ReadonlySet<string> = new Set(["Dockerfile", "package-lock.json", "tsconfig.json"]);

function mapName({ name }: Workload, folder: string): string {
  return folder === "" ? `${name}-code` : `${name}-code-${kubernetesName(folder.replaceAll("/", "-"))}`;
}

/** Every file of the workload's folder that runs, one ConfigMap for each folder, sorted by name. */
export function codeMaps(emitted: readonly EmittedFile[], workload: Workload): readonly CodeMap[] {
  const root = `${workload.folder}/`;
  const folders = new Map<string, { files: CodeFile[]; bytes: number }>();
  for (const { path: file, bytes } of emitted) {
    const path = file.slice(root.length);
    if (!file.startsWith(root) || NOT_MOUNTED.has(path)) continue;
    const slash = path.lastIndexOf("/");
    const name = mapName(workload, path.slice(0, Math.max(0, slash)));
    const folder = folders.get(name) ?? { files: [], bytes: 0 };
    folder.files.push({ file, key: path.slice(slash + 1), path });
    folder.bytes += bytes;
    folders.set(name, folder);
  }
  const maps = [...folders].map(([name, { files, bytes }]) => ({
    name,
    namespace: workload.namespace,
    files,
    bytes,
  }));
  return maps.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kibibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}

/** A ConfigMap that no API server would take, with its largest files: the fault is found before it is applied. */
export function reportSizes(maps: readonly CodeMap[], emitted: readonly EmittedFile[], report: Report): void {
  const sizes = new Map(emitted.map((each) => [each.path, each]));
  for (const { name, files, bytes } of maps) {
    if (bytes <= MOST_BYTES) continue;
    const bySize = files
      .map(({ file }) => ({ file, bytes: sizes.get(file)?.bytes ?? 0 }))
      .sort((a, b) => b.bytes - a.bytes || (a.file < b.file ? -1 : 1));
    const largest = bySize.slice(0, 5).map((each) => `${each.file} ${kibibytes(each.bytes)}`);
    report(
      "E-CONFIGMAP-SIZE",
      `the ConfigMap ${name} would hold ${kibibytes(bytes)} of code in ${files.length} files, and 1024 KiB is the most: ${largest.join(", ")}`,
      ["links", "mcp"],
    );
  }
}
