/** Long work on many small things, with rests in which the thread can answer others. */

/** How long work goes on without a rest. */
const STRETCH_MS = 40;

/**
 * Called between pieces of work, rests when it is time.
 * @param pause milliseconds of a rest; 0 = until whatever waits has had its turn
 */
export function resting(stretch = STRETCH_MS, pause: () => number = () => 0): () => Promise<void> | undefined {
  let rested = performance.now();
  return () => {
    if (performance.now() - rested < stretch) return undefined;
    return new Promise<void>((resume) => setTimeout(resume, pause())).then(() => {
      rested = performance.now();
    });
  };
}

/** Maps with rests. */
export async function mapResting<T, R>(items: readonly T[], work: (item: T) => R): Promise<R[]> {
  const rest = resting();
  const results: R[] = [];
  for (const item of items) {
    results.push(work(item));
    const due = rest();
    if (due) await due;
  }
  return results;
}
