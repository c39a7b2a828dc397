/** Builds on disk what a pod of the emitted Deployment sees, and runs its command there. */
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { newKey, ROOT } from "../harness/emitted.ts";
import { at, blocks, entries, ofKind, nameOf } from "./object.ts";
import type { Block, Pod } from "./object.ts";
import type { Output } from "./stacks.ts";

/** A name that changes with the content, as the kubelet makes them. */
const DATA = "..2027_01_01_00_00_00.1234567890";

/** File of the output by ConfigMap and key, as the kustomization generates them. */
function generatedMaps({ manifests }: Output): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const generators = ofKind(manifests, "Kustomization").flatMap(({ object }) =>
    blocks(object["configMapGenerator"]),
  );
  return new Map(
    generators.map((generator) => {
      const files = (generator["files"] as readonly string[]).map(
        (file) => [file.slice(file.lastIndexOf("/") + 1), file] as const,
      );
      return [String(generator["name"]), new Map(files)];
    }),
  );
}

/** The projected volume as the kubelet writes it: the files below a folder of their own, links to its top. */
function writeVolume(folder: string, volume: unknown, output: Output): void {
  const maps = generatedMaps(output);
  const tops = new Set<string>();
  for (const source of blocks(at(volume, "projected", "sources"))) {
    const files = maps.get(String(at(source, "configMap", "name")));
    for (const item of blocks(at(source, "configMap", "items"))) {
      const path = String(item["path"]);
      const file = output.tree.get(files?.get(String(item["key"])) ?? "");
      if (file === undefined) throw new Error(`${path}: no ConfigMap holds ${String(item["key"])}`);
      const target = join(folder, DATA, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, file.text, { mode: 0o644 });
      tops.add(path.split("/")[0] ?? "");
    }
  }
  symlinkSync(DATA, join(folder, "..data"));
  for (const top of tops) symlinkSync(join("..data", top), join(folder, top));
}

/** The packages of the emitted lock file and no others, as `npm ci` would install them. */
function writeLibraries(folder: string, { tree }: Output, withDevelopment: boolean): void {
  const lock = JSON.parse(tree.get("server/package-lock.json")?.text ?? "{}") as {
    packages: Record<string, Block>;
  };
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === "" || (entry["dev"] === true && !withDevelopment)) continue;
    const isAbsent = entry["optional"] === true && spawnSync("test", ["-d", join(ROOT, path)]).status !== 0;
    if (!isAbsent) cpSync(join(ROOT, path), join(folder, path), { recursive: true, dereference: true });
  }
}

/** The variables of the container, with a value for each key of a Secret. */
export function variablesOf(pod: Pod, { manifests }: Output): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const container of pod.containers) {
    for (const source of blocks(container["envFrom"])) {
      const name = at(source, "configMapRef", "name");
      const [map] = ofKind(manifests, "ConfigMap").filter((each) => nameOf(each) === name);
      for (const [key, value] of entries(map?.object["data"])) variables[key] = String(value);
    }
    for (const variable of blocks(container["env"])) {
      const isOptional = at(variable, "valueFrom", "secretKeyRef", "optional") === true;
      if (variable["value"] !== undefined) variables[String(variable["name"])] = String(variable["value"]);
      else if (!isOptional) variables[String(variable["name"])] = newKey();
    }
  }
  return variables;
}

export interface Mounted {
  readonly folder: string;
  start(extra: Readonly<Record<string, string>>): Promise<RunningPod>;
  remove(): void;
}

export interface RunningPod {
  readonly port: number;
  readonly variables: Readonly<Record<string, string>>;
  /** What the process may do, by its own account: `/proc/<pid>/status`. */
  readonly pid: number;
  stop(): Promise<number | null>;
}

/**
 * Everything is read-only but an empty /tmp, as in the pod. The image's root is that of this machine, below which
 * `/mnt` shows the image's `/app`.
 */
const ENTER = `
mount --make-rprivate /
mount -t tmpfs -o size=1m tmpfs /mnt
mkdir /mnt/app && mount --bind "$POD/app" /mnt/app && mount -o remount,bind,ro /mnt/app
mkdir /mnt/bin && mount --bind "$POD/bin" /mnt/bin && mount -o remount,bind,ro /mnt/bin
mount -o remount,ro /mnt && mount -o remount,bind,ro /
mount -t tmpfs -o size=64m,mode=1777 tmpfs /tmp
cd /mnt/app/"$FOLDER"
exec env -u POD -u FOLDER -u USER_ID -u GROUP_ID HOME=/ PATH="/mnt/bin:$PATH" \\
  setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
`;

async function waitForPort(read: () => string, ended: Promise<number | null>): Promise<number> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (;;) {
    const found = /listening on port (\d+)/.exec(read());
    if (found !== null) return Number(found[1]);
    if (isOver) throw new Error(`the pod ended:\n${read()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** `node` is the program that the image would hold; the development libraries are those that only Node 20 needs. */
export function mountPod(output: Output, pod: Pod, node: string, withDevelopment: boolean): Mounted {
  const folder = mkdtempSync(join(tmpdir(), "topogate-pod-"));
  chmodSync(folder, 0o755);
  const [container] = pod.containers;
  const directory = String(container?.["workingDir"]);
  const mount = blocks(container?.["volumeMounts"]).find(({ mountPath }) => mountPath === directory);
  const volume = blocks(pod.spec["volumes"]).find(({ name }) => name === mount?.["name"]);
  const code = join(folder, directory);
  mkdirSync(code, { recursive: true });
  writeVolume(code, volume, output);
  writeLibraries(dirname(code), output, withDevelopment);
  mkdirSync(join(folder, "bin"));
  copyFileSync(node, join(folder, "bin/node"));
  const user = at(pod.spec, "securityContext", "runAsUser");
  const group = at(pod.spec, "securityContext", "runAsGroup");
  const command = (container?.["command"] ?? []) as readonly string[];
  return {
    folder: code,
    remove: () => rmSync(folder, { recursive: true, force: true }),
    start: async (extra) => {
      const variables = { ...variablesOf(pod, output), ...extra };
      const child = spawn("unshare", ["--mount", "sh", "-euc", ENTER, "pod", ...command], {
        env: {
          ...variables,
          PATH: process.env["PATH"],
          POD: folder,
          FOLDER: directory.slice("/app/".length),
          USER_ID: String(user),
          GROUP_ID: String(group),
        },
        stdio: ["ignore", "ignore", "pipe"],
      });
      let stderr = "";
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      const port = await waitForPort(() => stderr, ended);
      return {
        port,
        variables,
        pid: child.pid ?? 0,
        stop: async () => {
          child.kill("SIGTERM");
          return await ended;
        },
      };
    },
  };
}

/** The status of an answer to a probe as the manifest has it, or with another Host. */
export async function probe(port: number, spec: unknown, host?: string): Promise<number> {
  const headers = blocks(at(spec, "httpGet", "httpHeaders")).map(({ name, value }) => [
    String(name),
    String(value),
  ]);
  const sent = { ...Object.fromEntries(headers), ...(host === undefined ? {} : { Host: host }) };
  return await new Promise((resolve, reject) => {
    const path = String(at(spec, "httpGet", "path"));
    const call = request({ host: "127.0.0.1", port, path, headers: sent }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on("error", reject);
    call.end();
  });
}
