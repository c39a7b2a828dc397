import type { CommandFamily, McpLink } from "#contract";

type Executable = CommandFamily["executables"][number];
type Form = Executable["forms"][number];

const KEY = { is: "text", pattern: "^[^\\p{Cc}]+$", max: 512 } as const;
const FIELD = { is: "text", pattern: "^[^\\p{Cc}]*$", max: 512 } as const;
const INDEX = { is: "integer", min: -999_999, max: 999_999 } as const;
const SECTIONS = ["server", "clients", "memory", "stats", "replication", "persistence", "cpu", "keyspace"];

const oneKey = (word: string): Form => ({ word, operands: [KEY] });

const READS: readonly Form[] = [
  { word: "PING", operands: [] },
  { word: "INFO", operands: [{ is: "choice", values: SECTIONS, optional: true }] },
  { word: "DBSIZE", operands: [] },
  ...["GET", "TYPE", "TTL", "PTTL", "STRLEN", "HLEN", "LLEN", "SCARD", "ZCARD", "XLEN", "HGETALL"].map(
    oneKey,
  ),
  { word: "EXISTS", operands: [{ ...KEY, upTo: 10 }] },
  { word: "HGET", operands: [KEY, FIELD] },
  { word: "GETRANGE", operands: [KEY, INDEX, INDEX] },
  { word: "LRANGE", operands: [KEY, INDEX, { is: "integer", min: -1000, max: 1000 }] },
];

/** Stands for the tool that sets a key, and passes its gate. */
const WRITES: readonly Form[] = [{ word: "SET", operands: [KEY, FIELD], tool: "set" }];

const client = (name: string): Executable => ({
  name,
  // An error reply is a failure, and a password is never asked for.
  always: ["-e", "--no-auth-warning"],
  flags: [
    { names: ["-h"], value: { is: "host" } },
    { names: ["-p"], value: { is: "port" } },
    { names: ["--user"], value: { is: "username" } },
    { names: ["-n"], value: { is: "integer", min: 0, max: 9999 } },
    { names: ["-t"], value: { is: "integer", min: 1, max: 15 } },
    { names: ["--tls"] },
    { names: ["--raw"] },
    { names: ["--no-raw"] },
    { names: ["-e"] },
    { names: ["--no-auth-warning"] },
  ],
  requires: ["-h"],
  flagsFirst: true,
  forms: [...READS, ...WRITES],
  environment: { REDISCLI_AUTH: { is: "secret", of: "password" } },
});

/** `redis-cli`, or `valkey-cli` where that is installed, for one command that reads. */
export function commandsWith(accountOf: (link: McpLink) => string): CommandFamily {
  return {
    install: [{ debian: "redis-tools" }],
    executables: [client("redis-cli"), client("valkey-cli")],
    accounts: (link) => [
      {
        variables: {
          username: { name: "USER", value: accountOf(link) },
          password: { name: "PASSWORD", secret: true },
          host: { name: "HOST" },
          port: { name: "PORT" },
        },
      },
    ],
    checks: ["REDISCLI_AUTH={password} redis-cli -h {host} -p {port} --user {username} PING"],
  };
}
