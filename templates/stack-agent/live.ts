/** What the live suite needs around real servers: a drawn stack, emitted as it would be, and the module on it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { testerAt } from "#runtime/stack-agent/command/open";
import { engineAt } from "#runtime/stack-agent/load";
import type { Settings } from "#runtime/settings";
import { defineModule } from "#runtime/tool";
import { treeOf } from "../../test/harness/in-process.ts";
import { openModule } from "../../test/harness/module.ts";
import type { OpenModule } from "../../test/harness/module.ts";
import { tools } from "./tools.ts";

export interface DrawnModule extends OpenModule {
  readonly folder: string;
}

/** The topology tools over what the generator emits for a stack. */
export async function openDrawn(
  stack: string,
  environment: Readonly<Record<string, string>>,
): Promise<DrawnModule> {
  const tree = await treeOf(stack);
  const folder = mkdtempSync(join(tmpdir(), "topogate-run-test-"));
  mkdirSync(folder, { recursive: true });
  for (const name of ["topology.json", "commands.json"]) {
    writeFileSync(join(folder, name), tree.get(`server/${name}`)?.text ?? "");
  }
  const file = (name: string): URL => pathToFileURL(join(folder, name));
  const open = (settings: Settings): never =>
    Object.assign(engineAt(file("topology.json")), {
      tester: testerAt(file("commands.json"), settings, tools.link.env),
    }) as never;
  const module = openModule(defineModule({ ...tools, open }), environment);
  return {
    ...module,
    folder,
    close: async () => {
      await module.close();
      rmSync(folder, { recursive: true });
    },
  };
}
