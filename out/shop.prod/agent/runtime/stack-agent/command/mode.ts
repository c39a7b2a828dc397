import { SettingError } from "#runtime/settings";
import type { Settings } from "#runtime/settings";

/** `off` runs nothing, `catalog` what the component types bring, `allowlist` what their lists allow. */
export const MODES = ["off", "catalog", "allowlist"] as const;
export type CommandMode = (typeof MODES)[number];

const SETTING = "COMMAND_MODE";

/** The operator's choice; throws a SettingError for a word that is none, because starting with less would hide it. */
export function commandMode(settings: Settings, env: string): CommandMode {
  const given = settings.text(SETTING, "allowlist");
  const mode = MODES.find((candidate) => candidate === given);
  if (mode === undefined) throw new SettingError(`${env}_${SETTING}`, `must be one of ${MODES.join(", ")}`);
  return mode;
}
