import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** One folder of `templates/`, as found on disk: nothing is registered anywhere. */
export interface TemplateFolder {
  readonly name: string;
  readonly component: string | undefined;
  readonly output: string | undefined;
  readonly tools: string | undefined;
  /** Handlebars files. */
  readonly renders: readonly string[];
  /** Files that an output may copy as they are. */
  readonly copies: readonly string[];
}

/** What outputs may copy stands in these folders. */
const COPIED = /^(runtime|copy)\/.+(?<!\.test)\.(ts|mjs|json|md)$/;

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(root, path) : [path];
    });
}

/** The folders of `templates/`, sorted by name; paths are relative to the repository. */
export function discoverTemplates(root: string): readonly TemplateFolder[] {
  const folders = readdirSync(join(root, "templates"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return folders.map((name) => {
    const folder = `templates/${name}`;
    const files = filesBelow(root, folder);
    const one = (file: string): string | undefined =>
      existsSync(join(root, folder, file)) ? `${folder}/${file}` : undefined;
    return {
      name,
      component: one("component.ts"),
      output: one("output.ts"),
      tools: one("tools.ts"),
      renders: files.filter((file) => file.endsWith(".hbs")),
      copies: files.filter((file) => COPIED.test(file.slice(folder.length + 1))),
    };
  });
}

/** The hook files, sorted by name. */
export function discoverHooks(root: string): readonly string[] {
  return readdirSync(join(root, "hooks"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .sort()
    .map((name) => `hooks/${name}`);
}

export function readText(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8");
}
