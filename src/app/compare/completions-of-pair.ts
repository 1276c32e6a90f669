/** Sampled answers of two runs at one step, sample by sample. Pure. */
import type { CompletionGroup } from '../../protocol/messages.ts';

export interface PairOfGroups {
  id: string;
  /** Null where that run did not draw the sample at this step. */
  groups: [CompletionGroup | null, CompletionGroup | null];
}

/** Samples that both runs drew come first, each kind in the order of the first run. */
export function bothSides(first: readonly CompletionGroup[], second: readonly CompletionGroup[]): PairOfGroups[] {
  const one = new Map(first.map((group) => [group.id, group]));
  const other = new Map(second.map((group) => [group.id, group]));
  const pairs = [...new Set([...one.keys(), ...other.keys()])].map((id): PairOfGroups => ({ id, groups: [one.get(id) ?? null, other.get(id) ?? null] }));
  const shared = pairs.filter(({ groups }) => groups[0] && groups[1]);
  return [...shared, ...pairs.filter((pair) => !shared.includes(pair))];
}
