import { argumentsDigest } from "#runtime/digest";
import type { Arguments } from "#runtime/call/call";

export interface ProposedChange {
  readonly stack: string;
  readonly environment: string | null;
  readonly link: string;
  readonly component: string;
  readonly tool: string;
  readonly args: Arguments;
  readonly rule: string;
  readonly requestedBy: string;
}

const MOST_LINES = 400;

/**
 * The call as a new file in the repository, in a form that `git apply` takes: people review it, and what runs
 * there after the review carries it out. `undefined` for arguments that are too long to review.
 */
export function patchOf(change: ProposedChange): string | undefined {
  const argsSha = argumentsDigest(change.component, change.tool, change.args);
  const name = `${change.stack}-${change.tool.replaceAll("_", "-")}-${argsSha.slice(0, 12)}`;
  const path = `changes/${name}.yaml`;
  const lines = [
    "apiVersion: governance/v1",
    "kind: ChangeRequest",
    `metadata: {"name":${JSON.stringify(name)}}`,
    "spec:",
    `  stack: ${JSON.stringify(change.stack)}`,
    `  environment: ${JSON.stringify(change.environment)}`,
    `  link: ${JSON.stringify(change.link)}`,
    `  tool: ${JSON.stringify(change.tool)}`,
    ...`  arguments: ${JSON.stringify(change.args, null, 2).replaceAll("\n", "\n  ")}`.split("\n"),
    `  argsSha: ${JSON.stringify(argsSha)}`,
    `  rule: ${JSON.stringify(change.rule)}`,
    `  requested_by: ${JSON.stringify(change.requestedBy)}`,
  ];
  if (lines.length > MOST_LINES) return undefined;
  return [
    `diff --git a/${path} b/${path}`,
    "new file mode 100644",
    "--- /dev/null",
    `+++ b/${path}`,
    `@@ -0,0 +1,${lines.length} @@`,
    ...lines.map((line) => `+${line}`),
    "",
  ].join("\n");
}
