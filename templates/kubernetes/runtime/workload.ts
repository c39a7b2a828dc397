import type { ROLLING } from "#runtime/kubernetes/api";

/** A workload that was drawn, and how far it may be scaled. */
export interface Workload {
  readonly namespace: string;
  readonly kind: keyof typeof ROLLING;
  readonly name: string;
  readonly min: number;
  /** 0 for one that may not be scaled. */
  readonly max: number;
}
