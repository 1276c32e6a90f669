/** Sampled answers of two runs at one step, sample by sample. Pure. */
import type { CompletionGroup } from '../../protocol/messages.ts';

export interface PairOfGroups {
  id: string;
  /** Null where that run did not draw the sample at this step. */
  groups: [CompletionGroup | null, CompletionGroup | null];
}

/** Samples that both runs drew come first, each kind in the order of the first run. A sample drawn twice makes two pairs. */
export function bothSides(first: readonly CompletionGroup[], second: readonly CompletionGroup[]): PairOfGroups[] {
  const one = numbered(first);
  const other = numbered(second);
  const pairs = [...new Map([...one, ...other])].map(([key, { id }]): PairOfGroups => ({ id, groups: [one.get(key) ?? null, other.get(key) ?? null] }));
  const shared = pairs.filter(({ groups }) => groups[0] && groups[1]);
  return [...shared, ...pairs.filter((pair) => !shared.includes(pair))];
}

/** By sample and how often it came before in the same step. */
function numbered(groups: readonly CompletionGroup[]): Map<string, CompletionGroup> {
  const seen = new Map<string, number>();
  return new Map(
    groups.map((group) => {
      const times = seen.get(group.id) ?? 0;
      seen.set(group.id, times + 1);
      return [`${times} ${group.id}`, group];
    }),
  );
}
