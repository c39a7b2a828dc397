import { requestJson } from "#runtime/http";
import type { HttpService } from "#runtime/http";
import { cutText, foreignAnswer, listOf, recordOf } from "#runtime/json-shape";

/** Shorter than the limit of a call, so that the server stops by itself before the caller gives up. */
const SERVER_TIMEOUT = "14s";
const MAX_WARNINGS = 5;
const MAX_WARNING = 200;

export type Labels = Readonly<Record<string, string>>;
type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface ApiAnswer {
  readonly data: unknown;
  readonly warnings: readonly string[];
}

const POSTED = ["query", "query_range", "series"] as const;
const FETCHED = ["alerts", "targets", "rules"] as const;

/** Everything of the HTTP API that is ever asked for, besides the values of a label. */
export type Endpoint = (typeof POSTED)[number] | (typeof FETCHED)[number];

function answerOf(body: unknown): ApiAnswer {
  const { status, data, warnings } = recordOf(body);
  if (status !== "success" || data === undefined) throw foreignAnswer();
  const texts = listOf(warnings ?? []).slice(0, MAX_WARNINGS);
  return { data, warnings: texts.map((text) => String(text).slice(0, MAX_WARNING)) };
}

/** Asks one of the fixed endpoints; parameters go into the body where the API allows it. */
export async function ask(
  service: HttpService,
  endpoint: Endpoint,
  parameters: Parameters,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const path = ["api", "v1", endpoint];
  const isPosted = (POSTED as readonly string[]).includes(endpoint);
  const values = isPosted ? { form: { ...parameters, timeout: SERVER_TIMEOUT } } : { query: parameters };
  return answerOf(await requestJson(service, { path, signal, ...values }));
}

export async function askLabelValues(
  service: HttpService,
  label: string,
  query: Parameters,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  return answerOf(
    await requestJson(service, { path: ["api", "v1", "label", label, "values"], query, signal }),
  );
}

const MAX_LABEL = 1024;

/** A label set with values of bounded length. */
export function labelsOf(value: unknown): Labels {
  return Object.fromEntries(
    Object.entries(recordOf(value)).map(([name, text]) => [name, cutText(text, MAX_LABEL)]),
  );
}
