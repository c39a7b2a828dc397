/** Secrets that would be recognised in any text, and the search for them. */

export const CANARIES = {
  MCP_CNPG_APP_DB_PASSWORD: "cAnary-Of:the/database+1=?",
  MCP_VALKEY_PASSWORD: "cAnary'of\"the\\cache%2",
  MCP_PROMETHEUS_PASSWORD: "cAnary of the metrics 3",
  MCP_PROMETHEUS_TOKEN: "cAnaryOfTheMetricsToken4",
  MCP_KUBERNETES_TOKEN: "cAnaryOfTheCluster5",
  MCP_CLICKHOUSE_PASSWORD: "cAnary-öf-the-warehouse-6",
} as const;

/** With what is no secret, but belongs to the same accounts. */
export const ENVIRONMENT = { ...CANARIES, MCP_PROMETHEUS_USER: "metrics" };

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const bases = (["base64", "base64url", "hex"] as const).map((encoding) =>
    bytes.toString(encoding).replaceAll("=", ""),
  );
  return [
    secret,
    secret.toUpperCase(),
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    [...secret].toReversed().join(""),
    [...secret].join(" "),
    ...bases,
  ];
}

/** The first form of a secret that a text holds, with letters of either case. */
export function leakIn(text: string): string | undefined {
  const lower = text.toLowerCase();
  return Object.values(CANARIES)
    .flatMap(formsOf)
    .find((form) => lower.includes(form.toLowerCase()));
}
