import { cutText, listOf, recordOf } from "#runtime/json-shape";

const MAX_NAME = 200;
const MAX_ERROR = 300;
const MAX_EXPRESSION = 1000;

export interface Rule {
  readonly rule: string;
  readonly type: "alert" | "record";
  readonly group: string;
  readonly expr: string;
  /** Of an alerting rule only. */
  readonly state?: string;
  readonly health: string;
  readonly last_error: string;
  readonly eval_ms: number;
}

function ruleOf(value: unknown, group: string): Rule {
  const { name, query, type, state, health, lastError, evaluationTime } = recordOf(value);
  return {
    rule: cutText(name, MAX_NAME),
    type: type === "alerting" ? "alert" : "record",
    group,
    expr: cutText(query, MAX_EXPRESSION),
    ...(typeof state === "string" ? { state } : {}),
    health: cutText(health, MAX_NAME),
    last_error: cutText(lastError, MAX_ERROR),
    eval_ms: Number((Number(evaluationTime) * 1000).toFixed(3)),
  };
}

/** Every rule with the name of its group, in the order in which the server evaluates them. */
export function rulesOf(data: unknown): readonly Rule[] {
  return listOf(recordOf(data)["groups"]).flatMap((each) => {
    const { name, rules } = recordOf(each);
    const group = cutText(name, MAX_NAME);
    return listOf(rules).map((rule) => ruleOf(rule, group));
  });
}
