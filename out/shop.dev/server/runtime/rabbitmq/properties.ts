import type { JsonSchema } from "#runtime/parameter";

const text = { type: "string", maxLength: 255 };

/**
 * Properties that a message may have. CC and BCC are routing keys in disguise and lead to other queues, x- headers
 * belong to the broker, reply_to would make an application answer into a queue that the caller chose.
 */
export const PROPERTIES: JsonSchema = {
  type: "object",
  properties: {
    content_type: text,
    correlation_id: text,
    message_id: text,
    expiration: { type: "string", pattern: "^[0-9]{1,10}$" },
    delivery_mode: { enum: [1, 2] },
    headers: {
      type: "object",
      maxProperties: 20,
      propertyNames: { type: "string", pattern: "^(?![xX]-|[bB]?[cC]{2}$)[A-Za-z][\\w.-]{0,63}$" },
      additionalProperties: {
        anyOf: [{ type: "string", maxLength: 1024 }, { type: "number" }, { type: "boolean" }],
      },
    },
  },
  additionalProperties: false,
};
