import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { CompiledTool } from "../catalog/compiled.ts";
import { PREFIX_HOLE } from "../emit/holes.ts";

const SYMBOLIC = (holes: string, prefix: string): string => `
  import { PREFIX_HOLE, symbolic } from ${JSON.stringify(holes)};
  export const slot = (name, sample) => symbolic(name, sample);
  export const named = (name) => PREFIX_HOLE + name.slice(${prefix.length});
`;

/**
 * Runs a tool module once with symbolic slots and keeps what a model would see of its tools. Nothing is
 * opened: handlers and clients are left alone.
 */
export async function evaluateTools(
  root: string,
  path: string,
  prefix: string,
): Promise<readonly CompiledTool[]> {
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
    const module = (await import(pathToFileURL(outfile).href)) as {
      tools: { tools: readonly CompiledTool[] };
    };
    return module.tools.tools.map(
      ({ name, title, description, effect, inputSchema, outputSchema, annotations }) => {
        const tool = {
          name: name.replace(PREFIX_HOLE, prefix),
          title,
          description,
          effect,
          inputSchema,
          outputSchema,
          annotations,
        };
        return JSON.parse(JSON.stringify(tool)) as CompiledTool;
      },
    );
  } finally {
    rmSync(outfile, { force: true });
  }
}
