/** Which two of several runs stand side by side. Pure. */

/** The wanted ones as far as they are there and differ; else the first ones. Undefined where there are too few. */
export function pairOf<Run extends { id: string }>(runs: readonly Run[], [first, second]: readonly [string, string]): [Run | undefined, Run | undefined] {
  const a = runs.find(({ id }) => id === first) ?? runs[0];
  const others = runs.filter(({ id }) => id !== a?.id);
  return [a, others.find(({ id }) => id === second) ?? others[0]];
}
