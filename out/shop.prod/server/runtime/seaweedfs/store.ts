import { ToolFault } from "#runtime/fault";
import { openHttp, requestBytes } from "#runtime/http";
import type { HttpRequest, HttpService, OutgoingRequest } from "#runtime/http";
import { amzDate, authorizationOf, sha256 } from "#runtime/seaweedfs/sigv4";
import { SettingError } from "#runtime/settings";
import type { Secret, Settings } from "#runtime/settings";
import type { LinkFacts } from "#runtime/tool";

/** A bucket as drawn for a link. */
export interface Bucket {
  /** As drawn, and as the store calls it. */
  readonly name: string;
  readonly bucket: string;
  /** What the keys within reach start with; empty for all of them. */
  readonly prefix: string;
  /** Part of the names of its variables. */
  readonly env: string;
  /** Id of the key that reads it; empty when the store makes the ids. */
  readonly account: string;
  readonly public: boolean;
  readonly used_by: readonly string[];
}

/** A store, asked with the key of one account. */
export type Account = HttpService;

/** The store of a link; each bucket has accounts of its own. */
export interface Store {
  readonly link: LinkFacts;
  readonly settings: Settings;
  readonly service: HttpService;
  readonly region: string;
}

/** Refuses to open without the account that reads a bucket: a request without a signature would be anybody's. */
export function openStore(link: LinkFacts, settings: Settings, buckets: readonly Bucket[]): Store {
  const region = settings.text("REGION", "us-east-1");
  const store = { link, settings, service: openHttp(link, settings), region };
  for (const { env, account } of buckets) accountOf(store, env, account);
  return store;
}

function demand<T>(value: T | undefined, variable: string): T {
  if (value === undefined || value === "") throw new SettingError(variable, "is missing");
  return value;
}

/** Of what goes out, everything that a proxy may not change is signed. */
function signatureOf(request: OutgoingRequest, id: string, secret: Secret, region: string) {
  const now = new Date();
  const payload = sha256(request.body ?? "");
  const own = { "x-amz-content-sha256": payload, "x-amz-date": amzDate(now) };
  const { accept: _, ...sent } = request.headers;
  const headers = { ...sent, host: request.url.host, ...own };
  const { method, url } = request;
  const key = { id, secret: secret.reveal(), region, service: "s3" };
  return { ...own, authorization: authorizationOf({ method, url, headers, payload }, key, now) };
}

/** The account whose variables start with `<env>_`; `name` is its id when none says otherwise. */
export function accountOf({ link, settings, service, region }: Store, env: string, name: string): Account {
  const id = demand(settings.text(`${env}_ACCESS_KEY`, name), `${link.env}_${env}_ACCESS_KEY`);
  const secret = demand(settings.secret(`${env}_SECRET_KEY`), `${link.env}_${env}_SECRET_KEY`);
  if (!/^[\x21-\x7e]+$/.test(id))
    throw new SettingError(`${link.env}_${env}_ACCESS_KEY`, "holds a character that no access key has");
  return {
    ...service,
    authorization: undefined,
    sign: (request) => signatureOf(request, id, secret, region),
  };
}

function notSigned(): ToolFault {
  return new ToolFault(
    "denied",
    "the store does not know the account of this link, or not with this secret",
    {
      hint: "an administrator applies the commands in principals/, with the sealed credentials",
    },
  );
}

/** What S3 says went wrong, by its codes; a HEAD has a status only. */
const FAULTS: Readonly<Record<string, () => ToolFault>> = {
  NoSuchKey: () => new ToolFault("not_found", "there is no object with this key"),
  NoSuchVersion: () => new ToolFault("not_found", "there is no such version of the object"),
  NoSuchBucket: () => new ToolFault("not_found", "the bucket was drawn, but the store has none of that name"),
  AccessDenied: () =>
    new ToolFault("denied", "the account of this link may not do that", {
      hint: "it has the rights that principals/ gives it, within the drawn prefix",
    }),
  InvalidAccessKeyId: notSigned,
  SignatureDoesNotMatch: notSigned,
  RequestTimeTooSkewed: () =>
    new ToolFault("upstream_unavailable", "the store's clock and this server's are too far apart"),
  InvalidRange: () => new ToolFault("invalid_argument", "offset is past the end of the object"),
  SlowDown: () => new ToolFault("rate_limited", "the store asks for fewer requests"),
};
const BY_STATUS: Readonly<Record<number, string>> = {
  403: "AccessDenied",
  404: "NoSuchKey",
  416: "InvalidRange",
};

/** In words of our own: what a store says quotes keys, accounts and hosts. */
export function storeFault(status: number, text: string): ToolFault | undefined {
  const code = /<Code>([A-Za-z.]{1,64})<\/Code>/.exec(text)?.[1] ?? BY_STATUS[status] ?? "";
  return Object.hasOwn(FAULTS, code) ? FAULTS[code]?.() : undefined;
}

/** One request to one bucket, or to one object in it. */
export async function askStore(
  account: Account,
  bucket: string,
  key: string | null,
  request: Omit<HttpRequest, "path">,
) {
  const path = [bucket, ...(key === null ? [] : key.split("/"))];
  return await requestBytes(account, { faultIn: storeFault, ...request, path });
}
