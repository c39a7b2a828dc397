import { readFileSync } from "node:fs";
import type { Settings } from "#runtime/settings";
import { commandMode } from "./mode.ts";
import type { CommandRules } from "./rules.ts";
import { createTester } from "./tester.ts";
import type { Tester } from "./tester.ts";

/** Prefix of the server's own variables. */
const SERVER = "MCP";

/**
 * The tester over a `commands.json`, read at the first test and kept. A mode that is none stops the start with a
 * SettingError.
 */
export function testerAt(file: URL, settings: Settings, env: string): () => Tester {
  const mode = commandMode(settings, env);
  const approvalForWrites = settings.ofLink(SERVER).text("APPROVAL_MODE", "") === "required";
  let tester: Tester | undefined;
  return () =>
    (tester ??= createTester({
      rules: JSON.parse(readFileSync(file, "utf8")) as CommandRules,
      mode,
      settings: settings.ofLink,
      approvalForWrites,
    }));
}
