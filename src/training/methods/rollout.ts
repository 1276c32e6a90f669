/** The sampled answers that one or more optimizer steps learn from, and how they are kept in a checkpoint. */
import * as v from 'valibot';
import { LorikeetError } from '../../protocol/errors.ts';

export interface RolloutRow {
  /** Training sample whose prompt was answered. */
  sample: number;
  /** Sampled ids, with the token that ended the answer. */
  ids: number[];
  /** Cut at max_completion_length: the last id is no stop token. */
  truncated: boolean;
  /** One per reward term; null where it gave nothing usable. */
  rewards: (number | null)[];
  /** Weighted sum; null where no term was usable. */
  reward: number | null;
  advantage: number;
  /** log p of the ids before the first update; null where they are those of the update itself. */
  oldLogProbs: number[] | null;
}

export interface Rollout {
  /** Number of the rollout in the run. */
  number: number;
  /** Groups of num_generations rows of the same prompt. */
  rows: RolloutRow[];
  /** Figures of the rollout under their names in the log. */
  metrics: Record<string, number>;
}

export const ROLLOUT_FILE = 'rollout.json';

const finite = v.pipe(v.number(), v.finite());
const id = v.pipe(v.number(), v.integer(), v.minValue(0));
const schema = v.object({
  number: id,
  rows: v.array(
    v.object({
      sample: id,
      ids: v.array(id),
      truncated: v.boolean(),
      rewards: v.array(v.nullable(finite)),
      reward: v.nullable(finite),
      advantage: finite,
      oldLogProbs: v.nullable(v.array(finite)),
    }),
  ),
  metrics: v.record(v.string(), finite),
});

/** JSON keeps every float64, and so every float32, to the last bit. */
export function writeRollout(rollout: Rollout): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(rollout));
}

/** @throws LorikeetError "file-corrupt" */
export function readRollout(bytes: Uint8Array): Rollout {
  const bad = (message: string, cause?: unknown) => new LorikeetError('file-corrupt', `${ROLLOUT_FILE}: ${message}`, '', { file: ROLLOUT_FILE }, { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad('not JSON', error);
  }
  const result = v.safeParse(schema, parsed);
  if (!result.success) throw bad(result.issues[0].message);
  return result.output;
}
