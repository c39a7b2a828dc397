/**
 * The build: everything that costs time and needs TypeScript happens here, once.
 *
 * `dist/catalog.mjs` holds the compiled catalog, `dist/topogate.cjs` the start of the command line, and
 * `dist/topogate-main.cjs` the rest of it with all that it imports.
 */
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { bundleProgram } from "./bundle-program.ts";
import type { ComponentType } from "../catalog/contract.ts";
import type { CompiledModule } from "../catalog/compiled.ts";
import type { CopyIndex, ModuleIndex } from "../catalog/data.ts";
import { typesOf } from "../catalog/types-of.ts";
import type { Output } from "../hook/contract.ts";
import { standaloneValidators } from "../load/compile-validators.ts";
import { compileLock } from "./compile-lock.ts";
import { compileRuntime } from "./compile-runtime.ts";
import { compileTemplate } from "./compile-templates.ts";
import { specifiersIn } from "./specifiers.ts";
import { compileTools } from "./compile-tools.ts";
import { discoverHooks, discoverTemplates, readText } from "./discover.ts";
import type { TemplateFolder } from "./discover.ts";
import { evaluateTools } from "./evaluate-tools.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DIST = join(ROOT, "dist");
/** Where the Handlebars helpers live: every exported function of these files is one. */
const HELPER_FILES = ["escape.ts", "sql.ts", "acl.ts", "word.ts"].map((name) => `generator/emit/${name}`);

const COMMON = {
  bundle: true,
  platform: "node",
  target: "node20",
  logLevel: "error",
  absWorkingDir: ROOT,
} as const;

interface Definitions {
  readonly types: readonly ComponentType[];
  /** Component types by the folder that declares them. */
  readonly folders: ReadonlyMap<string, readonly ComponentType[]>;
  readonly outputs: readonly Output[];
  readonly helpers: readonly string[];
}

function definitionsSource(folders: readonly TemplateFolder[], hooks: readonly string[]): string {
  const lines: string[] = [];
  const list = (name: string, paths: readonly string[], all = ""): void => {
    paths.forEach((path, index) =>
      lines.push(`import ${all}${name}${index} from ${JSON.stringify(`./${path}`)};`),
    );
    lines.push(
      `export const ${name} = [${paths.map((path, i) => `[${JSON.stringify(path)}, ${name}${i}]`).join(", ")}];`,
    );
  };
  list(
    "components",
    folders.flatMap((folder) => folder.component ?? []),
    "* as ",
  );
  list(
    "outputs",
    folders.flatMap((folder) => folder.output ?? []),
  );
  list("hooks", hooks);
  const helpers = HELPER_FILES.filter((path) => existsSync(join(ROOT, path)));
  helpers.forEach((path, index) =>
    lines.push(`import * as helpers${index} from ${JSON.stringify(`./${path}`)};`),
  );
  lines.push(`export const helpers = { ${helpers.map((_, index) => `...helpers${index}`).join(", ")} };`);
  return lines.join("\n");
}

async function bundle(contents: string, outfile: string): Promise<void> {
  await build({ ...COMMON, stdin: { contents, resolveDir: ROOT, loader: "ts" }, outfile, format: "esm" });
}

async function loadDefinitions(source: string): Promise<Definitions> {
  const outfile = join(DIST, ".definitions.mjs");
  await bundle(source, outfile);
  const loaded = (await import(pathToFileURL(outfile).href)) as {
    components: readonly (readonly [string, Readonly<Record<string, unknown>>])[];
    outputs: readonly (readonly [string, Output])[];
    helpers: Readonly<Record<string, unknown>>;
  };
  rmSync(outfile);
  const folders = new Map(loaded.components.map(([path, value]) => [dirname(path), typesOf(value)]));
  return {
    folders,
    types: [...folders.values()].flat(),
    outputs: loaded.outputs.map(([, output]) => output),
    helpers: Object.keys(loaded.helpers).sort(),
  };
}

async function compileModule(
  folder: TemplateFolder,
  types: readonly ComponentType[],
): Promise<CompiledModule | undefined> {
  const owner = types.find((type) => type.tools !== undefined);
  if (folder.tools === undefined || owner?.tools === undefined) return undefined;
  const { prefix } = owner.tools;
  const { pieces, slots } = compileTools(folder.tools, readText(ROOT, folder.tools), prefix);
  const seen = await evaluateTools(ROOT, folder.tools, prefix);
  const own = folder.copies.filter((path) => path.startsWith(`templates/${folder.name}/runtime/`));
  const runtime = compileRuntime(
    folder.name,
    pieces,
    new Map(own.map((path) => [path, readText(ROOT, path)])),
  );
  return { from: folder.tools, folder: folder.name, runtime, pieces, slots, ...seen };
}

function writeData(name: string, text: string): void {
  writeFileSync(join(DIST, "data", name), text);
}

async function writeModules(folders: readonly TemplateFolder[], loaded: Definitions): Promise<ModuleIndex> {
  const index: (readonly [string, string])[] = [];
  for (const folder of folders) {
    const types = loaded.folders.get(`templates/${folder.name}`) ?? [];
    const module = await compileModule(folder, types);
    if (module === undefined) continue;
    writeData(`${folder.name}.json`, JSON.stringify(module));
    for (const type of types) if (type.tools !== undefined) index.push([type.type, `${folder.name}.json`]);
  }
  return index;
}

function writeCopies(folders: readonly TemplateFolder[]): CopyIndex {
  let all = "";
  const index = folders
    .flatMap((folder) => folder.copies)
    .map((path): CopyIndex[number] => {
      const text = readText(ROOT, path);
      all += text;
      return [path, Buffer.byteLength(all), hash("sha256", text, "hex"), ...specifiersIn(text)];
    });
  writeData("copies.txt", all);
  return index;
}

async function catalogSource(
  definitions: string,
  folders: readonly TemplateFolder[],
  loaded: Definitions,
  validators: readonly string[],
): Promise<string> {
  const renderers = folders
    .flatMap((folder) => folder.renders)
    .map(
      (path) => `[${JSON.stringify(path)}, ${compileTemplate(path, readText(ROOT, path), loaded.helpers)}]`,
    );
  const libraries = new Set([
    ...loaded.types.flatMap((type) => type.tools?.libraries ?? []),
    ...loaded.outputs.flatMap((output) => output.libraries ?? []),
  ]);
  writeData("lock.json", JSON.stringify(compileLock(readText(ROOT, "package-lock.json"), libraries)));
  const { version } = JSON.parse(readText(ROOT, "package.json")) as { version: string };
  return `${definitions}
import { readFileSync } from "node:fs";
import { assemble } from "./generator/catalog/assemble.ts";
export default assemble({
  version: ${JSON.stringify(version)},
  components, outputs, hooks, helpers,
  validators: ${JSON.stringify(validators)},
  modules: ${JSON.stringify(await writeModules(folders, loaded))},
  copies: ${JSON.stringify(writeCopies(folders))},
  read: (name) => readFileSync(new URL("./data/" + name, import.meta.url)),
  renderers: [${renderers.join(",\n")}],
});
`;
}

async function main(): Promise<void> {
  rmSync(join(DIST, "data"), { recursive: true, force: true });
  mkdirSync(join(DIST, "data", "validators"), { recursive: true });
  const folders = discoverTemplates(ROOT);
  const definitions = definitionsSource(folders, discoverHooks(ROOT));
  const loaded = await loadDefinitions(definitions);
  const types = new Map(loaded.types.map((type) => [type.type, type]));
  const validators = standaloneValidators(types);
  for (const [name, text] of validators) writeData(join("validators", `${name}.cjs`), text);
  const source = await catalogSource(definitions, folders, loaded, [...validators.keys()]);
  await bundle(source, join(DIST, "catalog.mjs"));
  const { bytes } = await bundleProgram(ROOT, DIST);
  for (const name of readdirSync(DIST))
    if (name.startsWith(".")) rmSync(join(DIST, name), { recursive: true });
  process.stderr.write(
    `built dist/topogate.cjs (${Math.round(bytes / 1024)} KB, ${types.size} component types)\n`,
  );
}

await main();
