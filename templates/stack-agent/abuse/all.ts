/**
 * Commands that somebody could try. Every one is refused before anything is started, by the grammar, by a list, or
 * by a value; which of them says no is part of what is tested.
 */
import type { AbuseCase } from "./case.ts";
import { KUBECTL_ARGUMENTS, KCAT_AND_CLICKHOUSE } from "./cluster.ts";
import { CURL_ARGUMENTS } from "./curl.ts";
import { PSQL_ARGUMENTS } from "./psql.ts";
import { REDIS_ARGUMENTS } from "./redis.ts";
import { BUILTINS, ROWS } from "./rest.ts";
import { METACHARACTERS, NAMES } from "./shell.ts";
import { SUBSTITUTION, ENVIRONMENT } from "./variables.ts";

export const ABUSE: readonly AbuseCase[] = [
  ...METACHARACTERS,
  ...NAMES,
  ...SUBSTITUTION,
  ...ENVIRONMENT,
  ...PSQL_ARGUMENTS,
  ...REDIS_ARGUMENTS,
  ...CURL_ARGUMENTS,
  ...KUBECTL_ARGUMENTS,
  ...KCAT_AND_CLICKHOUSE,
  ...BUILTINS,
  ...ROWS,
];
