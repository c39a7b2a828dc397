import { AuthenticationError, ProtocolError, ResponseError } from "@platformatic/kafka";
import { ToolFault } from "#runtime/fault";

/** The answer that came with errors in parts of it, where the parts that worked are worth having. */
export function partialAnswer<T>(error: unknown): T {
  if (error instanceof ResponseError) {
    const response: unknown = error["response"];
    if (typeof response === "object" && response !== null) return response as T;
  }
  throw error;
}

/** Every error in a chain of causes and groups, outermost first. */
function chain(error: unknown): readonly Error[] {
  const found: Error[] = [];
  const waiting: unknown[] = [error];
  while (waiting.length > 0 && found.length < 50) {
    const next = waiting.shift();
    if (!(next instanceof Error)) continue;
    found.push(next);
    if (next instanceof AggregateError) waiting.push(...next.errors);
    waiting.push(next.cause);
  }
  return found;
}

const refused = (env: string, what: string): ToolFault =>
  new ToolFault("denied", `the cluster refused the account of this link: ${what}`, {
    hint: `apply the principal of this link to the cluster and check ${env}_USER and ${env}_PASSWORD`,
  });

const KNOWN: Readonly<
  Record<string, readonly [code: "not_found" | "invalid_argument" | "too_large", text: string]>
> = {
  UNKNOWN_TOPIC_OR_PARTITION: ["not_found", "the cluster has no such topic or partition"],
  UNKNOWN_TOPIC_ID: ["not_found", "the cluster has no such topic or partition"],
  INVALID_TOPIC_EXCEPTION: ["invalid_argument", "that is no name of a topic"],
  INVALID_GROUP_ID: ["invalid_argument", "that is no name of a consumer group"],
  OFFSET_OUT_OF_RANGE: ["invalid_argument", "the offset is outside the partition"],
  MESSAGE_TOO_LARGE: ["too_large", "the message is larger than the topic accepts"],
  RECORD_LIST_TOO_LARGE: ["too_large", "the message is larger than the topic accepts"],
  INVALID_RECORD: ["invalid_argument", "the topic does not accept this message: a compacted one needs a key"],
};

/** No host, user name or text of a broker: only the protocol's own names of errors. */
export function faultOf(error: unknown, env: string): ToolFault {
  const errors = chain(error);
  const ids = errors.flatMap((each) => (each instanceof ProtocolError ? [String(each["apiId"])] : []));
  const unauthorized = ids.find((id) => id.endsWith("_AUTHORIZATION_FAILED"));
  if (unauthorized !== undefined) return refused(env, unauthorized);
  if (errors.some((each) => each instanceof AuthenticationError)) return refused(env, "the login failed");
  const known = ids.map((id) => KNOWN[id]).find((each) => each !== undefined);
  if (known !== undefined) return new ToolFault(...known);
  const code = errors
    .map((each) => ("code" in each ? String(each.code) : ""))
    .find((each) => /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(each));
  if (code !== undefined) {
    return new ToolFault("upstream_unavailable", "the broker's certificate is not trusted", {
      hint: `give the authority that signed it in ${env}_CA_FILE`,
    });
  }
  const [id] = ids;
  if (id === undefined) return new ToolFault("upstream_unavailable", "the cluster does not answer");
  return new ToolFault("upstream_unavailable", `the cluster answered ${id}`, {
    hint: "try again in a moment",
  });
}

/** The fault for a code in an answer; 0 is none. */
export function failOn(errorCode: number): void {
  if (errorCode !== 0) throw new ProtocolError(errorCode);
}
