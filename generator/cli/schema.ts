import catalog from "#catalog";
import { editorSchema } from "../load/schema.ts";
import { ExitCode } from "./terminal.ts";

export async function runSchema(): Promise<number> {
  process.stdout.write(`${JSON.stringify(editorSchema(catalog.types), null, 2)}\n`);
  return await Promise.resolve(ExitCode.ok);
}
