/** For how long an answer counts: a flood of questions about readiness is none for whoever holds the state. */
const FRESH_MS = 2_000;
/** Shorter than the patience of whoever asks. */
const PATIENCE_MS = 1_500;

async function within(work: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether what replicas share answers, asked once in a while however often somebody wants to know. */
export function stateProbe(
  answers: () => Promise<boolean>,
  now: () => number = () => performance.now(),
): () => Promise<boolean> {
  let known: { readonly until: number; readonly answer: Promise<boolean> } | undefined;
  return async () => {
    if (known === undefined || now() >= known.until)
      known = { until: now() + FRESH_MS, answer: within(answers()) };
    return await known.answer;
  };
}
