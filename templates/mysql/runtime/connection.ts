import mysql from "mysql2";
import type { Connection } from "mysql2";
import { readNamedFile } from "#runtime/named-file";
import { SettingError } from "#runtime/settings";
import type { Secret, Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

export interface Database {
  /** As drawn, and as the server calls it. */
  readonly name: string;
  readonly database: string;
  /** Of its variables: `APP_DB` in `MCP_MYSQL_APP_DB_USER`. */
  readonly env: string;
  readonly consumers: readonly string[];
}

export interface Login {
  readonly user: string;
  readonly password: Secret | undefined;
}

export interface Mysql {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Empty for the authorities that Node knows. */
  readonly ca: string;
  readonly caVariable: string;
  login(database: Database, writes: boolean): Login;
  /** Accounts whose rights have been looked at, by their names. */
  readonly checked: Set<string>;
}

const CONNECT_MS = 2500;

export function openMysql(link: LinkFacts, settings: Settings): Mysql {
  const tls = settings.text("TLS", "true");
  if (tls !== "true" && tls !== "false") throw new SettingError(`${link.env}_TLS`, "must be true or false");
  return {
    host: settings.text("HOST", link.host),
    port: settings.integer("PORT", link.port),
    tls: tls === "true",
    ca: settings.text("CA_FILE", ""),
    caVariable: `${link.env}_CA_FILE`,
    login: ({ env, name }, writes) => {
      const part = writes ? `${env}_RW` : env;
      const user = settings.text(`${part}_USER`, `mcp_${writes ? "rw" : "ro"}_${name}`);
      return { user, password: settings.secret(`${part}_PASSWORD`) };
    },
    checked: new Set(),
  };
}

/**
 * Opens a connection; with TLS the certificate must be trusted and be for the name in HOST. The authority's file is
 * read each time, since such files are renewed.
 */
export async function connect(
  client: Mysql,
  { user, password }: Login,
  database: string,
): Promise<Connection> {
  const ca = client.ca === "" ? {} : { ca: await readNamedFile(client.ca, client.caVariable) };

  const connection = mysql.createConnection({
    host: client.host,
    port: client.port,
    user,
    password: password?.reveal() ?? "",
    database,
    connectTimeout: CONNECT_MS,
    charset: "utf8mb4_general_ci",
    multipleStatements: false,
    // No file of this process is ever sent, whatever the server asks for, and no code is made from its answers.
    flags: ["-LOCAL_FILES", "-MULTI_STATEMENTS"],
    disableEval: true,
    supportBigNumbers: true,
    dateStrings: true,
    jsonStrings: true,
    ...(client.tls
      ? {
          ssl: {
            ...ca,
            rejectUnauthorized: true,
            verifyIdentity: true,
            minVersion: "TLSv1.2",
          },
        }
      : {}),
  });
  return await new Promise((resolve, reject) => {
    connection.once("error", reject);
    connection.connect((error) => {
      connection.removeListener("error", reject);
      // After this, errors reach whoever runs a statement; one between two statements must not end the process.
      connection.on("error", () => undefined);
      if (error === null || error === undefined) return resolve(connection);
      connection.destroy();
      reject(error);
    });
  });
}
