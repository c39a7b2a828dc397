import { relative } from "node:path";
import type { SealedOutput } from "../credentials/seal-output.ts";
import type { Plan } from "../tree/plan.ts";

export const SIGNS = { create: "+", update: "~", delete: "-" } as const;

const SEALED: Readonly<Record<NonNullable<SealedOutput["outcome"]>, string>> = {
  created: "; credentials sealed",
  kept: "",
  "kept-not-compared": "; credentials kept, their values not compared",
  changed: "; credentials changed",
  "recipients-added": "; a recipient added",
  resealed: "; credentials sealed anew",
};

function shown(root: string): string {
  return relative(process.cwd(), root) || ".";
}

export function describeChanges(plan: Plan): string {
  return plan.changes.map(({ kind, path }) => `${SIGNS[kind]} ${shown(plan.root)}/${path}\n`).join("");
}

export function describeConflicts(plan: Plan): string {
  return plan.conflicts
    .map(({ path, reason }) =>
      reason === "edited"
        ? `edited-generated-file: ${shown(plan.root)}/${path} was changed by hand; move the change into the drawing, or generate --force\n`
        : `foreign-file: ${shown(plan.root)}/${path} stands where a generated file goes; move it away, or generate --force\n`,
    )
    .join("");
}

export function describeUnmanaged(plan: Plan): string {
  return plan.unmanaged
    .map(
      (path) =>
        `unmanaged-file: ${shown(plan.root)}/${path} was not generated: it is kept, but never imported or packed\n`,
    )
    .join("");
}

/** Whoever could read the values until now may remember them, and git still has them. */
export function describeRemoved(plan: Plan, recipients: readonly string[]): string {
  return recipients
    .map(
      (recipient) =>
        `${shown(plan.root)}: ${recipient.slice(0, 20)}... can no longer open the credentials, but has seen them: change them on the services\n`,
    )
    .join("");
}

export function summary(plan: Plan, outcome: SealedOutput["outcome"]): string {
  const count = (kind: string): number => plan.changes.filter((change) => change.kind === kind).length;
  const written = count("create") + count("update");
  const sealed = outcome === null ? "" : SEALED[outcome];
  return `${shown(plan.root)}: generated ${written}, unchanged ${plan.unchanged}, deleted ${count("delete")}${sealed}\n`;
}
