import { readNamedFile } from "#runtime/named-file";
import type { LinkFacts } from "#runtime/tool";

/**
 * A credential in memory. Its string, JSON and inspect forms are `***`, so it cannot slip into a log, an
 * error or a result; `reveal` is the one way to the value and is called where a connection is made.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}

/** The environment of one link, read by the names of that link only. */
export interface Settings {
  /** `MCP_<SVC>_<name>`; an empty variable counts as absent. */
  text(name: string, fallback: string): string;
  /** As `text`, for whole numbers; anything else stops the start and names the variable. */
  integer(name: string, fallback: number): number;
  /** `undefined` when the variable is absent or empty. The value is registered with the redactor. */
  secret(name: string): Secret | undefined;
  /**
   * Reads the file that the variable names, each time anew, for a secret that is replaced while the server runs;
   * every value is registered with the redactor. `undefined` when the variable is absent or empty.
   */
  secretFile(name: string): (() => Promise<Secret>) | undefined;
  /** The environment of another drawn link, for a module that tests services with the accounts of their links. */
  ofLink(env: string): Settings;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** An environment variable that is set to something the server cannot use. */
export class SettingError extends Error {
  constructor(variable: string, problem: string) {
    super(`${variable} ${problem}`);
    this.name = "SettingError";
  }
}

/** `onSecret` learns every value that is handed out, before anybody can use it. */
export function settingsOf(
  link: Pick<LinkFacts, "env">,
  environment: Environment,
  onSecret: (value: string) => void,
): Settings {
  const read = (name: string): string | undefined => {
    const value = environment[`${link.env}_${name}`];
    return value === undefined || value === "" ? undefined : value;
  };
  return {
    text: (name, fallback) => read(name) ?? fallback,
    integer: (name, fallback) => {
      const value = read(name);
      if (value === undefined) return fallback;
      if (!/^\d{1,15}$/.test(value)) throw new SettingError(`${link.env}_${name}`, "must be a whole number");
      return Number(value);
    },
    secret: (name) => {
      const value = read(name);
      if (value === undefined) return undefined;
      onSecret(value);
      return new Secret(value);
    },
    secretFile: (name) => {
      const path = read(name);
      if (path === undefined) return undefined;
      let known = "";
      return async () => {
        const value = (await readNamedFile(path, `${link.env}_${name}`)).trim();
        if (value !== known) onSecret(value);
        known = value;
        return new Secret(value);
      };
    },
    ofLink: (env) => settingsOf({ env }, environment, onSecret),
  };
}
