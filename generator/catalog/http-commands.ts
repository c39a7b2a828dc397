import type { CommandFamily, CommandFlag } from "./commands.ts";

const FLAGS: readonly CommandFlag[] = [
  { names: ["-s", "--silent"] },
  { names: ["-S", "--show-error"] },
  { names: ["-k", "--insecure"] },
  { names: ["-g", "--globoff"] },
  { names: ["-f", "--fail"] },
  { names: ["-I", "--head"] },
  { names: ["-m", "--max-time"], value: { is: "integer", min: 1, max: 15 } },
];

export interface HttpCommands {
  /** Pattern of the decoded paths that may be asked for; left out, every path. */
  readonly paths?: string;
  /** Attribute that holds the port; left out, the component's own. */
  readonly port?: string;
  /** Ways to log in, written out; they reach curl on its standard input. */
  readonly logins?: readonly { readonly flag: "-u" | "-H"; readonly written: string }[];
  readonly accounts?: CommandFamily["accounts"];
  readonly checks: readonly string[];
}

function loginFlags(logins: HttpCommands["logins"] = []): readonly CommandFlag[] {
  const patterns = (flag: "-u" | "-H"): readonly string[] =>
    logins.filter((login) => login.flag === flag).map(({ written }) => written);
  const [users, headers] = [patterns("-u"), patterns("-H")];
  return [
    ...(users.length === 0
      ? []
      : [{ names: ["-u", "--user"], value: { is: "written", patterns: users }, config: "user" } as const]),
    ...(headers.length === 0
      ? []
      : [
          {
            names: ["-H", "--header"],
            value: { is: "written", patterns: headers },
            config: "header",
          } as const,
        ]),
  ];
}

/**
 * `curl` for a service that answers over HTTP: one GET or HEAD of one URL of the component itself. It follows no
 * redirect, reads no configuration, uses no proxy and writes no file.
 */
export function httpCommands(options: HttpCommands): CommandFamily {
  const { paths, port, logins, accounts, checks } = options;
  const url = {
    is: "url",
    ...(paths === undefined ? {} : { paths }),
    ...(port === undefined ? {} : { port }),
  } as const;
  const input = logins === undefined ? [] : ["--config", "-"];
  return {
    executables: [
      {
        name: "curl",
        always: [
          "--disable",
          "--globoff",
          "--noproxy",
          "*",
          "--proto",
          "=http,https",
          "--max-redirs",
          "0",
          ...input,
        ],
        flags: [...FLAGS, ...loginFlags(logins)],
        forms: [{ operands: [url] }],
      },
    ],
    install: [{ debian: "curl" }],
    ...(accounts === undefined ? {} : { accounts }),
    checks,
  };
}
