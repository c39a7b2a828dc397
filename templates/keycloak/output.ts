import { defineOutput } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountOf, realmNames } from "./component.ts";

const HERE = "templates/keycloak";
const READ_ROLES = ["view-realm", "view-users", "view-clients", "view-events"];

/** The commands for one realm, with kcadm logged in already; a secret goes in by standard input alone. */
function commandsFor(
  realm: string,
  name: string,
  account: string,
  secret: string,
  writes: boolean,
): readonly string[] {
  const user = `--uusername service-account-${account}`;
  const roles = [...READ_ROLES, ...(writes ? ["manage-users"] : [])]
    .map((role) => `--rolename ${role}`)
    .join(" ");
  return [
    `kcadm.sh create partialImport -r ${realm} -f principals/${name}/client.json`,
    `ID=$(kcadm.sh get clients -r ${realm} -q clientId=${account} --fields id --format csv --noquotes)`,
    `printf '{"secret": "%s"}' "$${secret}" | kcadm.sh update "clients/$ID" -r ${realm} -m -f -`,
    `kcadm.sh get "clients/$ID/service-account-user" -r ${realm} --fields username`,
    `kcadm.sh remove-roles -r ${realm} ${user} --rolename default-roles-${realm}`,
    `kcadm.sh add-roles -r ${realm} ${user} --cclientid realm-management ${roles}`,
  ];
}

function view({ link, environment, tools }: LinkModule): object {
  const { name } = link.component;
  const account = accountOf(link);
  const realms = realmNames(link);
  const canWrite = tools.some(({ effect }) => effect !== "read");
  const writes = (realm: string): boolean => canWrite && realms.writable.includes(realm);
  return {
    component: name,
    account,
    secret: `${environment}_CLIENT_SECRET`,
    realms: realms.all.map((realm) => ({ realm, writes: writes(realm) })),
    commands: realms.all.flatMap((realm) =>
      commandsFor(realm, name, account, `${environment}_CLIENT_SECRET`, writes(realm)),
    ),
    canWrite,
  };
}

/** One client of the link's own in each realm, with roles of that realm. */
export default defineOutput({
  name: "keycloak",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "keycloak")
      .flatMap((module): FileSpec[] => {
        const folder = `principals/${module.link.component.name}`;
        const shown = view(module);
        return [
          {
            kind: "rendered",
            path: `${folder}/README.md`,
            from: `${HERE}/principal-readme.md.hbs`,
            view: shown,
          },
          {
            kind: "rendered",
            path: `${folder}/client.json`,
            from: `${HERE}/principal.json.hbs`,
            view: shown,
          },
        ];
      }),
});
