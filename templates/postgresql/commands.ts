import type { CommandFamily, McpLink } from "#contract";
import type { Account } from "./component.ts";

type Accounts = ReturnType<NonNullable<CommandFamily["accounts"]>>;

/** The account that reads each database; nothing is ever tested with the one that writes. */
function readers(link: McpLink, accounts: readonly Account[]): Accounts {
  return accounts
    .filter(({ writes }) => !writes)
    .flatMap(({ name, part, role }) => {
      const target = link.targets.find(({ sub }) => sub.name === name);
      const variables = {
        username: { name: `${part}_USER`, value: role },
        password: { name: `${part}_PASSWORD`, secret: true },
        host: { name: "HOST" },
        port: { name: "PORT" },
      } as const;
      return target === undefined ? [] : [{ target, variables }];
    });
}

const host = { names: ["-h", "--host"], value: { is: "host" } } as const;
const port = { names: ["-p", "--port"], value: { is: "port" } } as const;
const user = { names: ["-U", "--username"], value: { is: "username" } } as const;
/** Through the environment, because psql takes a name with `=` for a whole connection string. */
const database = { names: ["-d", "--dbname"], value: { is: "scope" }, into: "PGDATABASE" } as const;

const executables: CommandFamily["executables"] = [
  {
    name: "psql",
    // No start file, no question for a password, and a result without frame, as in `output: "1"`.
    always: ["-X", "-w", "-q", "-A", "-t"],
    flags: [
      host,
      port,
      user,
      database,
      { names: ["-c", "--command"], value: { is: "query", guard: "postgresql/command-guard", max: 20_000 } },
      ...["-X", "-w", "-q", "-A", "-t"].map((name) => ({ names: [name] })),
    ],
    requires: ["-h", "-c"],
    forms: [{ operands: [] }],
    environment: {
      PGPASSWORD: { is: "secret", of: "password" },
      PGCONNECT_TIMEOUT: { is: "integer", min: 1, max: 15 },
    },
    sets: {
      PGAPPNAME: "run_test",
      PGPORT: "{port}",
      PGCONNECT_TIMEOUT: "5",
      PGOPTIONS: "-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=1s",
      PSQL_PAGER: "",
    },
    settings: { PGSSLMODE: "SSLMODE", PGSSLROOTCERT: "CA_FILE" },
  },
  {
    name: "pg_isready",
    flags: [
      host,
      port,
      user,
      database,
      { names: ["-t", "--timeout"], value: { is: "integer", min: 1, max: 15 } },
      { names: ["-q", "--quiet"] },
    ],
    requires: ["-h"],
    sets: { PGPORT: "{port}" },
    forms: [{ operands: [] }],
  },
];

/** `psql` for one query, and `pg_isready`; the accounts are those of the link. */
export function commandsWith(accountsOf: (link: McpLink) => readonly Account[]): CommandFamily {
  return {
    install: [{ debian: "postgresql-client" }],
    executables,
    accounts: (link) => readers(link, accountsOf(link)),
    checks: [
      'PGPASSWORD={password} psql -h {host} -p {port} -U {username} -d {database} -c "SELECT 1"',
      "pg_isready -h {host} -p {port}",
    ],
  };
}
