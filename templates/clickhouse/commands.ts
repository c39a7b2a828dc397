import type { CommandFamily } from "#contract";

/** Words of clauses and functions that change settings, write a file of the client, or reach files and other systems. */
const REACHING = [
  "azureBlobStorage\\w*",
  "cluster\\w*",
  "deltaLake\\w*",
  "dictionary",
  "executable\\w*",
  "file\\w*",
  "gcs\\w*",
  "hdfs\\w*",
  "hudi\\w*",
  "iceberg\\w*",
  "infile",
  "input",
  "into",
  "jdbc",
  "mongodb",
  "mysql",
  "odbc",
  "outfile",
  "postgresql",
  "redis",
  "remote\\w*",
  "s3\\w*",
  "settings",
  "sleep\\w*",
  "sqlite",
  "url\\w*",
];

/** One statement that reads. The account and `--readonly` say the same to the server. */
const query = {
  is: "text",
  pattern: `^(?!.*(?:;|--|/\\*|\\\\|\\b(?:${REACHING.join("|")})\\b))(?:select|show|describe|exists) [^\\p{Cc}]+$`,
  max: 4000,
  ignoreCase: true,
} as const;

/** `clickhouse-client` for one query of the link's own account. */
export const commands: CommandFamily = {
  install: [
    { image: "clickhouse/clickhouse-server:25.8", path: "/usr/bin/clickhouse", program: "clickhouse-client" },
  ],
  executables: [
    {
      name: "clickhouse-client",
      always: ["--readonly", "1"],
      flags: [
        { names: ["--host", "-h"], value: { is: "host" } },
        { names: ["--port"], value: { is: "port", attribute: "native_port" } },
        { names: ["--user", "-u"], value: { is: "username" } },
        { names: ["--database", "-d"], value: { is: "scope" } },
        { names: ["--query", "-q"], value: query },
        {
          names: ["--format", "-f"],
          value: { is: "choice", values: ["TSV", "JSON", "JSONEachRow", "Pretty"] },
        },
        { names: ["--secure", "-s"] },
      ],
      requires: ["-h", "-q"],
      forms: [{ operands: [] }],
      environment: { CLICKHOUSE_PASSWORD: { is: "secret", of: "password" } },
    },
  ],
  accounts: () => [
    {
      variables: {
        username: { name: "USER" },
        password: { name: "PASSWORD", secret: true },
        host: { name: "HOST" },
      },
    },
  ],
  checks: [
    'CLICKHOUSE_PASSWORD={password} clickhouse-client -h {host} --port {native_port} -u {username} -q "SELECT 1"',
  ],
};
