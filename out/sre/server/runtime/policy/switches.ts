import { openHotFile } from "#runtime/hot-file";
import type { SwitchReason } from "#runtime/reason";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/** The kill switches as of now: everything, or everything that an agent does. */
export interface Switches {
  /** Why nothing may be done; `undefined` while everything is on. */
  off(): SwitchReason | undefined;
}

const GATEWAY = "MCP_GATEWAY_ENABLED";
const DISPATCH = "MCP_AGENT_DISPATCH_ENABLED";
type Setting = { readonly gateway: boolean; readonly dispatch: boolean };
const ALL_OFF: Setting = { gateway: false, dispatch: false };

function isOn(text: string | undefined): boolean | undefined {
  if (text === undefined || /^(true|True|TRUE)$/.test(text)) return true;
  return /^(false|False|FALSE)$/.test(text) ? false : undefined;
}

/** Lines such as `MCP_GATEWAY_ENABLED=false`. Whoever writes here wants to stop something: what is not understood stops all. */
function parseSwitches(text: string): Setting {
  const values = new Map<string, boolean>();
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [name = "", value] = line.split("=");
    const on = value === undefined ? undefined : isOn(value);
    if (on === undefined || (name !== GATEWAY && name !== DISPATCH)) {
      process.stderr.write("MCP_SWITCHES_FILE has a line that is not understood: everything is off\n");
      return ALL_OFF;
    }
    values.set(name, on);
  }
  return { gateway: values.get(GATEWAY) ?? true, dispatch: values.get(DISPATCH) ?? true };
}

function switchIn(environment: Environment, name: string): boolean {
  const on = isOn(environment[name] || undefined);
  if (on === undefined) throw new StartError(`${name} must be true or false`);
  return on;
}

/** The switches of the environment, and those of the file in `MCP_SWITCHES_FILE`, which need no restart: both must be on. */
export function openSwitches(environment: Environment): Switches {
  const fixed: Setting = {
    gateway: switchIn(environment, "MCP_GATEWAY_ENABLED"),
    dispatch: switchIn(environment, "MCP_AGENT_DISPATCH_ENABLED"),
  };
  const path = environment["MCP_SWITCHES_FILE"] || undefined;
  const file =
    path === undefined ? undefined : openHotFile(path, "MCP_SWITCHES_FILE", parseSwitches, "optional");
  return {
    off: () => {
      const now = file?.current();
      if (!fixed.gateway || now?.gateway === false) return "feature-disabled";
      return !fixed.dispatch || now?.dispatch === false ? "agent_dispatch_disabled" : undefined;
    },
  };
}
