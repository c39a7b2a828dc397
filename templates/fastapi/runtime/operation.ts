import type { JsonSchema } from "#runtime/parameter";
import type { Effect } from "#runtime/tool";

/** Where an argument of a tool goes in the request; `body` is one member of it, `whole` all of it. */
export interface Input {
  readonly argument: string;
  readonly place: "path" | "query" | "header" | "body" | "whole";
  readonly name: string;
  /** A list in one query parameter, with commas, instead of the parameter again and again. */
  readonly joined?: true;
}

/** What of an answer is shown: all of it, or these members; lists are looked through. */
export type Shape = true | { readonly [member: string]: Shape };

/** One operation of the service's OpenAPI document, as a row that one handler serves. */
export interface Operation {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly inputSchema: JsonSchema;
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As in the document: `/orders/{orderId}`. */
  readonly path: string;
  readonly inputs: readonly Input[];
  readonly body?: "json" | "form";
  readonly returns: Shape;
}
