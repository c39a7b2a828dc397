import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/**
 * Refuses to start without a credential that a link needs. An entry that somebody emptied or took out of the
 * sealed file would otherwise show only when a tool is called, or leave a service open to no password at all.
 */
export function demandCredentials(
  required: Readonly<Record<string, string>>,
  environment: Environment,
): void {
  const missing = Object.entries(required).filter(([name]) => (environment[name] ?? "") === "");
  if (missing.length === 0) return;
  const names = missing.map(([name, link]) => `${name} (${link})`).join(", ");
  throw new StartError(
    `no value for ${names}: the sealed credentials hold them, or should; topogate secrets check says what is wrong`,
  );
}
