import { defineOutput, shellWord } from "#hook";
import type { FileSpec, LinkModule } from "#hook";
import { accountsOf } from "./component.ts";
import type { Account } from "./component.ts";

const HERE = "templates/seaweedfs";

function fileOf({ name, writes }: Account): string {
  return `${name}.${writes ? "write" : "read"}.json`;
}

/** What an account may do, in the words of S3: the objects below its prefix, never the bucket itself. */
function policyOf({ bucket, prefix, writes }: Account, effects: readonly string[]): object {
  const objects = `arn:aws:s3:::${bucket}/${prefix}*`;
  const allow = (actions: readonly string[], resource: string): object => ({
    Effect: "Allow",
    Action: actions,
    Resource: [resource],
  });
  if (writes) {
    const puts = effects.includes("additive") ? ["s3:PutObject"] : [];
    const deletes = effects.includes("destructive") ? ["s3:DeleteObject", "s3:DeleteObjectVersion"] : [];
    return { Version: "2012-10-17", Statement: [allow([...puts, ...deletes], objects)] };
  }
  const list = allow(["s3:ListBucket"], `arn:aws:s3:::${bucket}`);
  const within = { Condition: { StringLike: { "s3:prefix": [`${prefix}*`] } } };
  return {
    Version: "2012-10-17",
    Statement: [
      prefix === "" ? list : { ...list, ...within },
      allow(["s3:GetObject", "s3:GetObjectTagging"], objects),
    ],
  };
}

type Commands = (account: Account, file: string, secret: string) => readonly string[];

/** What an administrator runs in each store; a secret goes through a pipe, never into an argument. */
const COMMANDS: Readonly<Record<string, Commands>> = {
  seaweedfs: ({ id }, file, secret) => {
    const shell = 'weed shell -master="${WEED_MASTER:-localhost:9333}" > /dev/null';
    return [
      `printf 's3.policy -put -name=%s -file=%s\\ns3.configure -user=%s -policies=%s -access_key=%s -secret_key=%s -apply\\n' ${id} ${file} ${id} ${id} ${id} "$${secret}" | ${shell}`,
    ];
  },
  minio: ({ id }, file, secret) => [
    `mc admin policy create store ${id} ${file}`,
    `printf '%s\\n%s\\n' ${id} "$${secret}" | mc admin user add store`,
    `mc admin user info store ${id} | grep -q 'PolicyName: ${id}$' || mc admin policy attach store ${id} --user ${id}`,
  ],
  s3: ({ id }, file) => [
    `aws iam get-user --user-name ${id} || aws iam create-user --user-name ${id}`,
    `aws iam put-user-policy --user-name ${id} --policy-name ${id} --policy-document file://${file}`,
  ],
};

const ADMINISTRATOR: Readonly<Record<string, string>> = {
  seaweedfs: "where weed reaches the master that WEED_MASTER names",
  minio: "with mc, whose alias store is an administrator's",
  s3: "with the aws command line; aws iam create-access-key then gives each account the key that the link is given",
};

function readmeView({ link, environment }: LinkModule): object {
  const { name, type } = link.component;
  const accounts = accountsOf(link);
  const commands = COMMANDS[type];
  return {
    component: name,
    administrator: ADMINISTRATOR[type] ?? "",
    accounts: accounts.map((account) => ({
      id: account.id,
      does: account.writes ? "writes" : "lists and reads",
      keys: `${account.bucket}/${account.prefix}*`,
      commands: commands?.(
        account,
        shellWord(`principals/${name}/${fileOf(account)}`),
        `${environment}_${account.part}_SECRET_KEY`,
      ),
    })),
    never: accounts.some(({ writes }) => writes) ? "" : "writing, ",
  };
}

/** The accounts of each link: a policy for each, the same for every store, and how an administrator applies it. */
export default defineOutput({
  name: "seaweedfs",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "seaweedfs")
      .flatMap((linked): FileSpec[] => {
        const folder = `principals/${linked.link.component.name}`;
        const effects = linked.tools.map(({ effect }) => effect);
        return [
          {
            kind: "rendered",
            path: `${folder}/README.md`,
            from: `${HERE}/principal-readme.md.hbs`,
            view: readmeView(linked),
          },
          ...accountsOf(linked.link).map((account): FileSpec => ({
            kind: "data",
            path: `${folder}/${fileOf(account)}`,
            from: `${HERE}/output.ts`,
            json: policyOf(account, effects),
            layout: "pretty",
          })),
        ];
      }),
});
