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

/**
 * The code of one folder, or as much of it as a ConfigMap holds: none has two files of one name, so keys need no
 * encoding.
 */
export interface CodeMap {
  readonly name: string;
  readonly namespace: string;
  readonly files: readonly CodeFile[];
  readonly bytes: number;
}

/** What a ConfigMap may hold at most; the API server refuses more. */
const MOST_BYTES = 1024 * 1024;

/** Read by people, by the image's build, or where nothing is mounted; never by a server in a pod of ours. */
const NOT_MOUNTED: ReadonlySet<string> = new Set([
  "Dockerfile",
  "package-lock.json",
  "policy.json",
  "tsconfig.json",
]);

/**
 * The policy stands beside the server's folder, and in the volume below it: `../governance/policy.json` leads
 * there from both, because a mounted file really stands in a folder of its own within the volume.
 */
const POLICY = /^governance\/(policy\.json|rules\/.+)$/;

/** Where a file of the output is mounted, and in which ConfigMap; `undefined` when it is not. */
function placeOf(
  file: string,
  { name, folder, component }: Workload,
): (CodeFile & { readonly map: string }) | undefined {
  const isPolicy = component === "server" && POLICY.test(file);
  const path = isPolicy ? file : file.slice(folder.length + 1);
  if (!isPolicy && (!file.startsWith(`${folder}/`) || NOT_MOUNTED.has(path))) return undefined;
  const slash = path.lastIndexOf("/");
  const parts = [name, isPolicy ? "policy" : "code", ...path.split("/").slice(isPolicy ? 1 : 0, -1)];
  return { file, path, key: path.slice(slash + 1), map: kubernetesName(parts.join("-")) };
}

interface Filling {
  readonly files: CodeFile[];
  bytes: number;
}

/** Every file of the workload that runs, one ConfigMap for each folder or more for a large one, sorted by name. */
export function codeMaps(emitted: readonly EmittedFile[], workload: Workload): readonly CodeMap[] {
  const folders = new Map<string, Filling[]>();
  for (const { path: file, bytes } of emitted) {
    const place = placeOf(file, workload);
    if (place === undefined) continue;
    const { map: name, ...rest } = place;
    const fillings = folders.get(name) ?? [];
    folders.set(name, fillings);
    let last = fillings.at(-1);
    if (last === undefined || last.bytes + bytes > MOST_BYTES)
      fillings.push((last = { files: [], bytes: 0 }));
    last.files.push(rest);
    last.bytes += bytes;
  }
  return [...folders]
    .flatMap(([folder, fillings]) =>
      fillings.map(({ files, bytes }, at) => {
        const name = at === 0 ? folder : kubernetesName(`${folder}-${at + 1}`);
        return { name, namespace: workload.namespace, files, bytes };
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function isPolicyFile(file: string): boolean {
  return POLICY.test(file);
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
