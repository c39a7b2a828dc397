/** Answers of the other server: one JSON-RPC message, alone or in a stream of events. */
import { ToolFault } from "#runtime/fault";
import { foreignAnswer, recordOf } from "#runtime/json-shape";

type Message = Readonly<Record<string, unknown>>;

const MAX_REASON = 200;

function parsed(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Message)
      : undefined;
  } catch {
    // No message: whoever reads on finds none with the id, and says so.
    return undefined;
  }
}

/** Only an answer carries `result` or `error`; a request of the other server may have the same id. */
function answersTo(message: Message | undefined, id: number): message is Message {
  return message?.["id"] === id && ("result" in message || "error" in message);
}

export interface AnswerReader {
  /** True once the answer is there: a server may keep its stream open. */
  until(chunk: Uint8Array): boolean;
  /** The answer to `id`, from the events that were seen or from the whole text. */
  answerIn(text: string): Message;
}

/** A request of the other server, for a model or a person: nothing here answers it, so that it would wait for ever. */
function asksBack(message: Message | undefined): boolean {
  return (
    typeof message?.["method"] === "string" && message["id"] !== undefined && message["method"] !== "ping"
  );
}

export class AskedBack extends ToolFault {
  constructor() {
    super("denied", "the other server asks this one for something in return, which no link allows");
  }
}

/** Reads server-sent events piece by piece, and leaves all but the answer to `id` alone. */
export function answerReader(id: number): AnswerReader {
  const decoder = new TextDecoder();
  let line: string[] = [];
  let data: string[] = [];
  let found: Message | undefined;
  let isAsked = false;
  const take = (text: string): void => {
    if (text.startsWith("data:")) data.push(text.slice(text.startsWith("data: ") ? 6 : 5));
    if (text !== "" || data.length === 0) return;
    const message = parsed(data.join("\n"));
    data = [];
    if (answersTo(message, id)) found ??= message;
    isAsked ||= asksBack(message);
  };
  return {
    until: (chunk) => {
      const parts = decoder.decode(chunk, { stream: true }).split("\n");
      const last = parts.pop() ?? "";
      for (const part of parts) {
        // Joined once it has ended: one event may come in thousands of pieces.
        take([...line, part].join("").replace(/\r$/, ""));
        line = [];
      }
      line.push(last);
      return found !== undefined || isAsked;
    },
    answerIn: (text) => {
      const whole = found === undefined ? parsed(text) : undefined;
      const message = found ?? (answersTo(whole, id) ? whole : undefined);
      if (message !== undefined) return message;
      throw isAsked ? new AskedBack() : foreignAnswer();
    },
  };
}

/** The result in an answer; an error of the other server becomes a fault with its own, bounded words. */
export function resultIn(message: Message): Readonly<Record<string, unknown>> {
  if (message["error"] === undefined) return recordOf(message["result"]);
  const { code, message: said } = recordOf(message["error"]);
  const words = typeof said === "string" ? `: ${said.slice(0, MAX_REASON)}` : "";
  throw new ToolFault(
    code === -32602 ? "invalid_argument" : "upstream_unavailable",
    `the other server refused${words}`,
  );
}
