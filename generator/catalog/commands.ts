/** What `run_test` may run for a component type. Plain data: it is written as it stands into `commands.json`. */
import type { McpLink } from "../model/topology.ts";

/** What a word of a command must be, looked at when every variable in it has its value. */
export type CommandValue =
  /**
   * The component's host, `host:port`, the account's name, something the link reaches, or a namespace that the
   * row and the link share: no other value is let through, wherever it came from.
   */
  | { readonly is: "host" | "address" | "username" | "scope" | "namespace" }
  /** The component's port, or the one in the named attribute. */
  | { readonly is: "port"; readonly attribute?: string }
  /** A URL to the component itself, or to its route on the row's gateway; `paths` is a pattern of the decoded path. */
  | { readonly is: "url"; readonly paths?: string; readonly port?: string }
  | { readonly is: "choice"; readonly values: readonly string[] }
  | { readonly is: "integer"; readonly min: number; readonly max: number }
  | { readonly is: "text"; readonly pattern: string; readonly max: number; readonly ignoreCase?: true }
  /** Judged by `guardCommand` of a file in the type's own runtime: `postgresql/command-guard`. */
  | { readonly is: "query"; readonly guard: string; readonly max: number }
  /** One variable of the account that is secret, and nothing beside it. */
  | { readonly is: "secret"; readonly of: string }
  /** Exactly as one of the patterns has it, variables still in place: `^\{username\}:\{password\}$`. */
  | { readonly is: "written"; readonly patterns: readonly string[] };

export interface CommandFlag {
  /** Every spelling; the program gets the first. */
  readonly names: readonly string[];
  readonly value?: CommandValue;
  /** The value goes into this variable of the child instead of its arguments. */
  readonly into?: string;
  /** The value goes as this option into a configuration on the child's standard input; it may hold secrets. */
  readonly config?: string;
}

export interface CommandForm {
  /** The first operand, for a program that takes a command of its own: `get`, `PING`. */
  readonly word?: string;
  readonly operands: readonly (CommandValue & { readonly optional?: true; readonly upTo?: number })[];
  /** The write tool, without its prefix, whose gate the form has to pass; left out, it only reads. */
  readonly tool?: string;
  /** Labels of indented blocks of the output that are left out. */
  readonly conceals?: readonly string[];
}

/**
 * JSON in which `"{name}"` stands for a variable of the account, secrets included; a member without a value is
 * left out, and of a list under `$first` the first entry stays that has all of its values.
 */
export type CommandDocument =
  | string
  | number
  | boolean
  | readonly CommandDocument[]
  | { readonly [member: string]: CommandDocument };

/** One program. What is not listed is refused. */
export interface CommandExecutable {
  readonly name: string;
  /** Arguments that it always gets, first. */
  readonly always?: readonly string[];
  readonly flags: readonly CommandFlag[];
  /** Flags without which it is refused. */
  readonly requires?: readonly string[];
  readonly forms: readonly CommandForm[];
  /** What comes after the first operand is no flag. */
  readonly flagsFirst?: true;
  /** It gets its operands in front of its flags, whatever the order in the command. */
  readonly operandsFirst?: true;
  /** Variables that may be written in front of it. */
  readonly environment?: Readonly<Record<string, CommandValue>>;
  /** Variables that it always gets; `{host}` and `{port}` are the component's. */
  readonly sets?: Readonly<Record<string, string>>;
  /** Variables that it gets from the link's settings, by their names without the link's prefix. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What it reads on its standard input. */
  readonly input?: CommandDocument;
}

/** Where a run takes a variable from in place of the drawing. */
export interface CommandVariable {
  /** The environment variable, without the link's prefix. */
  readonly name: string;
  readonly secret?: true;
  /** When the environment has none. */
  readonly value?: string;
}

/** The link's own account on the component, or on one of the link's targets. */
export interface CommandAccount {
  readonly target?: McpLink["targets"][number];
  /** By the variable that a command writes: `username`, `password`. */
  readonly variables: Readonly<Record<string, CommandVariable>>;
}

/** Where the image of the pods gets a program from: a package of Debian, or a file of another image. */
export type ProgramSource =
  | { readonly debian: string }
  | { readonly image: string; readonly path: string; readonly program: string };

export interface CommandFamily {
  readonly executables: readonly CommandExecutable[];
  /** What brings its programs into the image; left out, they are not there in a pod. */
  readonly install?: readonly ProgramSource[];
  /** Its programs serve the rows of every component, as `kubectl` does. */
  readonly ambient?: true;
  accounts?(link: McpLink): readonly CommandAccount[];
  /** Complete commands, which are all that may run in the mode `catalog`. */
  readonly checks: readonly string[];
}
