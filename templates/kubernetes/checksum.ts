import { hash } from "node:crypto";
import type { EmittedFile } from "#hook";

/** One digest over named contents; it depends on nothing else, so it changes when and only when they do. */
export function checksum(contents: readonly (readonly [name: string, digest: string])[]): string {
  const lines = contents.map(([name, digest]) => `${digest}  ${name}\n`);
  return hash("sha256", lines.sort().join(""), "hex");
}

/** The digest over the files that `isPart` picks, by path. */
export function checksumOf(emitted: readonly EmittedFile[], isPart: (path: string) => boolean): string {
  return checksum(
    emitted.filter(({ path }) => isPart(path)).map(({ path, digest }) => [path, digest] as const),
  );
}
