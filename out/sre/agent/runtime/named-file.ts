import { readFile } from "node:fs/promises";
import { ToolFault } from "#runtime/fault";

/** The text of a file that `variable` names. Its path stays in the process: only the variable is told. */
export async function readNamedFile(path: string, variable: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new ToolFault("upstream_unavailable", `a file of this link cannot be read (${code})`, {
      hint: `the operator must provide the file that ${variable} names`,
    });
  }
}
