import { createHash, createHmac } from "node:crypto";

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly region: string;
  readonly service: string;
}

/** What a signature covers: every header is signed, so whatever changes on the way must not be among them. */
interface Unsigned {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, in hex. */
  readonly payload: string;
}

export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** RFC 3986, where `encodeURIComponent` leaves five characters as they are. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** By their bytes, as the signature wants it: never by a locale. */
function inOrder(texts: readonly string[]): readonly string[] {
  return [...texts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function canonicalPath({ pathname }: URL): string {
  return pathname
    .split("/")
    .map((segment) => escaped(decodeURIComponent(segment)))
    .join("/");
}

function canonicalQuery({ searchParams }: URL): string {
  return inOrder([...searchParams].map(([name, value]) => `${escaped(name)}=${escaped(value)}`)).join("&");
}

/** `20130524T000000Z` */
export function amzDate(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, "");
}

/** The `Authorization` header of AWS Signature Version 4 as S3 has it: the path is escaped once and not normalised. */
export function authorizationOf(request: Unsigned, key: AccessKey, at: Date): string {
  const fields = inOrder(
    Object.entries(request.headers).map(
      ([name, value]) => `${name.toLowerCase()}:${value.trim().replaceAll(/ +/g, " ")}`,
    ),
  );
  const signed = fields.map((field) => field.slice(0, field.indexOf(":"))).join(";");
  const { method, url, payload } = request;
  const canonical = [method, canonicalPath(url), canonicalQuery(url), ...fields, "", signed, payload].join(
    "\n",
  );
  const date = amzDate(at);
  const scope = [date.slice(0, 8), key.region, key.service, "aws4_request"];
  const text = ["AWS4-HMAC-SHA256", date, scope.join("/"), sha256(canonical)].join("\n");
  const signing = scope.reduce<string | Buffer>((previous, part) => mac(previous, part), `AWS4${key.secret}`);
  const signature = mac(signing, text).toString("hex");
  return `AWS4-HMAC-SHA256 Credential=${key.id}/${scope.join("/")}, SignedHeaders=${signed}, Signature=${signature}`;
}
