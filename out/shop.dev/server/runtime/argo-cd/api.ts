import { ToolFault } from "#runtime/fault";
import { requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, listOf, recordOf } from "#runtime/json-shape";

export type Json = Readonly<Record<string, unknown>>;

/** An application as drawn: what it is called, where its object lies, and the project that rights are given in. */
export interface Application {
  readonly name: string;
  readonly namespace: string;
  readonly project: string;
}

export interface Access {
  readonly argo: HttpService;
  readonly signal: AbortSignal;
}

const MAX_NAME = 253;
const AT_ONCE = 8;

/** A member that may be absent, such as everything in the status of an application that was never synced. */
export function partOf(value: Json, name: string): Json {
  return recordOf(value[name] ?? {});
}

export function itemsOf(value: Json, name: string): readonly Json[] {
  return listOf(value[name] ?? []).map(recordOf);
}

export function textOf(value: Json, name: string, max: number = MAX_NAME): string {
  return cutText(value[name], max);
}

/** `undefined` in place of nothing, so that a row holds only what is known. */
export function known(value: Json, name: string, max?: number): string | undefined {
  return textOf(value, name, max) || undefined;
}

/** A repository without the account that its address may hold. */
export function withoutAccount(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}

/** Argo CD answers the same for an application that is not there and for one that the account may not see. */
function faultIn(status: number, text: string): ToolFault | undefined {
  if (status === 401)
    return new ToolFault("denied", "Argo CD does not know the token of this link", {
      hint: "an administrator makes a new one for the account in principals/",
    });
  if (status !== 403) return undefined;
  if (/sync window/.test(text))
    return new ToolFault("denied", "a sync window of the project forbids this now");
  return new ToolFault(
    "denied",
    "the account of this link may not do that, or there is no such application",
    {
      hint: "its rights are for the project and the namespace that were drawn",
    },
  );
}

/** One of the fixed paths below `/api/v1`. */
export async function ask(
  { argo, signal }: Access,
  path: readonly string[],
  query: Readonly<Record<string, string | readonly string[] | undefined>>,
  json?: Json,
): Promise<Json> {
  const request = { path: ["api", "v1", ...path], query, signal, faultIn };
  return recordOf(await requestJson(argo, json === undefined ? request : { ...request, json }));
}

/** Without the namespace Argo CD looks in its own, and says that access is denied when there is nothing. */
export async function askApplication(
  access: Access,
  { name, namespace, project }: Application,
  below: readonly string[] = [],
  query: Readonly<Record<string, string>> = {},
): Promise<Json> {
  const place = { appNamespace: namespace, project };
  return await ask(access, ["applications", name, ...below], { ...place, ...query });
}

/** The object of an application, which has a spec whatever state it is in. */
export async function getApplication(access: Access, application: Application): Promise<Json> {
  const found = await askApplication(access, application);
  recordOf(found["spec"]);
  return found;
}

/** The answers in the order of the questions, a few at a time. */
export async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  return results;
}
