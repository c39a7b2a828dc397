import type { Manifest } from "./object.ts";

/** One thing that every emitted manifest keeps to. */
export interface Rule {
  /** `H1` ... as the linters and the Pod Security Standards that ask for it are listed. */
  readonly id: string;
  readonly title: string;
  /** What is wrong, in words; nothing when all is well. */
  check(manifests: readonly Manifest[]): readonly string[];
  /** Changes of good manifests that the rule must find, by what they do. */
  readonly breaks: Readonly<Record<string, (manifests: readonly Manifest[]) => void>>;
}

/** One problem for each item that is not as it should be. */
export function complaints<T>(
  items: readonly T[],
  isFine: (item: T) => boolean,
  describe: (item: T) => string,
): readonly string[] {
  return items.filter((item) => !isFine(item)).map(describe);
}
