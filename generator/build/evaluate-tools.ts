import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { CompiledModule, CompiledPrompt, CompiledResource, CompiledTool } from "../catalog/compiled.ts";
import { PREFIX_HOLE } from "../emit/holes.ts";

const SYMBOLIC = (holes: string, prefix: string): string => `
  import { PREFIX_HOLE, symbolic } from ${JSON.stringify(holes)};
  export const slot = (name, sample) => symbolic(name, sample);
  export const named = (name) => PREFIX_HOLE + name.slice(${prefix.length});
`;

/** What a model or a client would see of a module. */
export type Evaluated = Pick<CompiledModule, "tools" | "resources" | "prompts">;

/** The module's own objects: handlers and readers among them, which are left alone. */
interface Module {
  readonly tools: readonly CompiledTool[];
  readonly resources?: readonly (Omit<CompiledResource, "generated"> & { readonly text?: unknown })[];
  readonly prompts?: readonly CompiledPrompt[];
}

/** As plain data: functions and `undefined` are gone. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function seenOf({ tools, resources = [], prompts = [] }: Module, prefix: string): Evaluated {
  return plain({
    tools: tools.map(({ name, title, description, effect, inputSchema, outputSchema, annotations }) => ({
      name: name.replace(PREFIX_HOLE, prefix),
      title,
      description,
      effect,
      inputSchema,
      outputSchema,
      annotations,
    })),
    resources: resources.map(({ uri, name, title, description, mimeType, text }) => ({
      uri,
      name,
      title,
      description,
      mimeType,
      generated: text !== undefined,
    })),
    prompts: prompts.map(({ name, version, title, description, arguments: args }) => ({
      name,
      version,
      title,
      description,
      arguments: args,
    })),
  });
}

/**
 * Runs a tool module once with symbolic slots and keeps what would be seen of it. Nothing is opened: handlers
 * and clients are left alone.
 */
export async function evaluateTools(root: string, path: string, prefix: string): Promise<Evaluated> {
  const outfile = join(root, "dist", `.evaluate-${path.replaceAll("/", "-")}.mjs`);
  await build({
    entryPoints: [join(root, path)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
    plugins: [
      {
        name: "symbolic-slots",
        setup: (context) => {
          context.onResolve({ filter: /^#runtime\/slot$/ }, () => ({ path: "slot", namespace: "symbolic" }));
          context.onLoad({ filter: /.*/, namespace: "symbolic" }, () => ({
            contents: SYMBOLIC(join(root, "generator/emit/holes.ts"), prefix),
            resolveDir: root,
          }));
          context.onResolve({ filter: /^[^.#/]/ }, (args) =>
            args.kind === "entry-point" ? undefined : { path: args.path, external: true },
          );
        },
      },
    ],
  });
  try {
    const module = (await import(pathToFileURL(outfile).href)) as { tools: Module };
    return seenOf(module.tools, prefix);
  } finally {
    rmSync(outfile, { force: true });
  }
}
