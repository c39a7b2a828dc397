import type { Rule } from "../rule.ts";
import { accessRules } from "./access.ts";
import { networkRules } from "./network.ts";
import { podSecurityRules } from "./pod-security.ts";
import { shapeRules } from "./shape.ts";
import { workloadRules } from "./workload.ts";

/** H24 is about two outputs, H29 needs a program, and H30 is about text: they have tests of their own. */
export const rules: readonly Rule[] = [
  ...podSecurityRules,
  ...workloadRules,
  ...networkRules,
  ...accessRules,
  ...shapeRules,
];
