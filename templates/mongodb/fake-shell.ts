/** A fake of MongoDB's shell, from its documented commands for roles and users: it keeps what an account script asks. */
import { runInNewContext } from "node:vm";

export interface Command {
  readonly database: string;
  readonly command: Readonly<Record<string, unknown>>;
}

/** Runs an emitted account script; `existing` names roles and users that the server already has. */
export function runInFakeShell(
  script: string,
  environment: Readonly<Record<string, string>>,
  existing: readonly string[] = [],
): readonly Command[] {
  const commands: Command[] = [];
  const answer = (command: Readonly<Record<string, unknown>>): object => {
    const found = (name: unknown): readonly object[] => (existing.includes(String(name)) ? [{}] : []);
    if ("rolesInfo" in command) return { ok: 1, roles: found(command["rolesInfo"]) };
    if ("usersInfo" in command) return { ok: 1, users: found(command["usersInfo"]) };
    return { ok: 1 };
  };
  const getSiblingDB = (database: string): object => ({
    runCommand: (command: Readonly<Record<string, unknown>>) => {
      commands.push({ database, command: structuredClone(command) });
      return answer(command);
    },
  });
  runInNewContext(script, { db: { getSiblingDB }, process: { env: environment } });
  return commands;
}
