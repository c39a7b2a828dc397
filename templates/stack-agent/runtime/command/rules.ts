/** What may be run, as `commands.json` holds it: the lists of the linked component types, and their accounts. */

/** What a word must be once every variable in it has its value. */
export type ValueRule =
  | { readonly is: "host" | "address" | "username" | "scope" | "namespace" }
  | { readonly is: "port"; readonly attribute?: string }
  | { readonly is: "url"; readonly paths?: string; readonly port?: string }
  | { readonly is: "choice"; readonly values: readonly string[] }
  | { readonly is: "integer"; readonly min: number; readonly max: number }
  | { readonly is: "text"; readonly pattern: string; readonly max: number; readonly ignoreCase?: true }
  | { readonly is: "query"; readonly guard: string; readonly max: number }
  | { readonly is: "secret"; readonly of: string }
  | { readonly is: "written"; readonly patterns: readonly string[] };

export interface FlagRule {
  /** Every spelling: `-h`, `--host`. The first is the one that the program gets. */
  readonly names: readonly string[];
  /** Left out, the flag takes no value. */
  readonly value?: ValueRule;
  /** The value goes into this variable of the child instead of its arguments. */
  readonly into?: string;
  /** The value goes as this option into a configuration on the child's standard input. */
  readonly config?: string;
}

export type OperandRule = ValueRule & { readonly optional?: true; readonly upTo?: number };

export interface FormRule {
  /** The first operand, for programs that take a command of their own: `get`, `PING`. */
  readonly word?: string;
  readonly operands: readonly OperandRule[];
  /** The write tool, without its prefix, that this form stands for; left out, the form only reads. */
  readonly tool?: string;
  /** Labels of blocks in the output that are left out because they may show what applications were given. */
  readonly conceals?: readonly string[];
}

/** JSON in which `"{name}"` stands for a variable of the link's account. */
export type DocumentRule =
  | string
  | number
  | boolean
  | readonly DocumentRule[]
  | { readonly [member: string]: DocumentRule };

export interface ExecutableRule {
  readonly name: string;
  /** Component types on whose rows it may be used. */
  readonly types: readonly string[];
  /** Serves the rows of every component, as `kubectl` does. */
  readonly ambient?: true;
  readonly always?: readonly string[];
  readonly flags: readonly FlagRule[];
  /** Flags, by their first name, without which it is refused. */
  readonly requires?: readonly string[];
  readonly forms: readonly FormRule[];
  /** What comes after the first operand is never read as a flag. */
  readonly flagsFirst?: true;
  /** It gets its operands in front of its flags, whatever the order in the command. */
  readonly operandsFirst?: true;
  /** Variables that may be written in front of it. */
  readonly environment?: Readonly<Record<string, ValueRule>>;
  /** Variables that it always gets; `{host}` and `{port}` are the place's. */
  readonly sets?: Readonly<Record<string, string>>;
  /** Variables that it gets from the link's settings, by their names without prefix. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What it reads on its standard input; see `fillDocument`. */
  readonly input?: DocumentRule;
}

/** Where a variable of a run comes from: what the link's own account holds, not what was drawn. */
export interface AccountVariable {
  /** The environment variable without the link's prefix. */
  readonly name: string;
  readonly secret: boolean;
  /** When the environment says nothing. */
  readonly value?: string;
}

export interface AccountRule {
  /** `null` for an account on the component as a whole. */
  readonly sub: string | null;
  readonly kind: string | null;
  readonly variables: Readonly<Record<string, AccountVariable>>;
}

export interface LinkRule {
  readonly component: string;
  /** Prefix of the link's variables. */
  readonly env: string;
  readonly access: string;
  /** Kept write tools by their names without prefix. */
  readonly writes: Readonly<Record<string, string>>;
  readonly accounts: readonly AccountRule[];
}

export interface CommandRules {
  readonly executables: readonly ExecutableRule[];
  /** Every program of the catalog with the types that it is for, linked or not. */
  readonly programs: Readonly<Record<string, readonly string[]>>;
  /** Types whose links are routes, `{subdomain}.{domain}`. */
  readonly gateways: readonly string[];
  /** What may run in the mode `catalog`. */
  readonly checks: readonly { readonly types: readonly string[]; readonly command: string }[];
  /** Sorted by component. */
  readonly links: readonly LinkRule[];
}
