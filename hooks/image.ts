import { defineHook } from "#hook";
import type { CommandFamily } from "#hook";

type ProgramSource = NonNullable<CommandFamily["install"]>[number];
type FromImage = Extract<ProgramSource, { readonly image: string }>;

/** Programs that tests run in the pods: those of linked types, and none without a link to the agent. */
export interface ImageFacts {
  /** Packages of Debian, sorted. */
  readonly packages: readonly string[];
  /** Files of other images, sorted by program. */
  readonly files: readonly FromImage[];
}

export default defineHook({
  name: "image",
  derive: (_topology, _facts, { links, types }): ImageFacts => {
    const isTested = links.some(({ link }) => types.get(link.component.type)?.builtin === "stack_agent");
    const sources = links.flatMap(({ link }) => types.get(link.component.type)?.commands?.install ?? []);
    const wanted = isTested ? sources : [];
    const packages = wanted.flatMap((each) => ("debian" in each ? [each.debian] : []));
    const files = new Map(wanted.flatMap((each) => ("image" in each ? [[each.program, each] as const] : [])));
    return {
      packages: [...new Set(packages)].sort(),
      files: [...files.values()].sort((a, b) => (a.program < b.program ? -1 : 1)),
    };
  },
});
