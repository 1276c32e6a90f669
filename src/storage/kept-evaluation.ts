/** The last evaluation, kept for the next visit: its answers took minutes or hours, its figures are computed from them again. */
import * as v from 'valibot';
import type { AnsweredSample, EvaluatedSet } from '../protocol/evaluation-messages.ts';
import { commit, read, type RecordKey } from './database.ts';

export interface KeptEvaluation {
  /** ISO 8601. */
  at: string;
  /** Of the candidates, distinct. */
  names: readonly string[];
  outcome: EvaluatedSet;
  samples: readonly AnsweredSample[];
}

const KEY: RecordKey = ['evaluation', 'last'];
const FORMAT = 1;
/** Pictures of larger sets are not kept: they lie in the dataset, and would fill the site's storage. */
export const MAX_PICTURE_BYTES = 64 * 2 ** 20;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const box = v.object({ label: v.string(), box: v.tuple([v.number(), v.number(), v.number(), v.number()]) });
const answer = v.object({
  text: v.string(),
  boxes: v.array(box),
  tokens: count,
  seconds: v.number(),
  ended: v.picklist(['stop', 'length']),
  certainty: v.object({ ends: v.array(v.number()), probabilities: v.array(v.number()) }),
});
const sample = v.object({
  index: count,
  id: v.string(),
  prompt: v.string(),
  truth: v.string(),
  truthBoxes: v.array(box),
  pixelsOf: v.nullable(v.object({ width: v.number(), height: v.number() })),
  image: v.nullable(v.instance(Blob)),
  answers: v.array(answer),
});
const schema = v.pipe(
  v.object({
    format: v.literal(FORMAT),
    at: v.string(),
    names: v.pipe(v.array(v.string()), v.minLength(1)),
    outcome: v.object({
      names: v.array(v.nullable(v.string())),
      answered: count,
      total: count,
      stopped: v.boolean(),
      sharedVision: v.array(v.boolean()),
      refused: count,
      milliseconds: v.number(),
    }),
    samples: v.pipe(v.array(sample), v.minLength(1)),
  }),
  v.check(({ names, samples }) => samples.every(({ answers }) => answers.length === names.length), 'every sample has one answer a candidate'),
);

/**
 * Takes the place of what was kept before. What was wrong with samples that could not be asked is not kept, only their number.
 * @throws LorikeetError "storage-full", "storage-failed"
 */
export async function keepEvaluation({ at, names, outcome, samples }: KeptEvaluation): Promise<void> {
  const pictures = samples.reduce((sum, { image }) => sum + (image?.size ?? 0), 0);
  const kept = pictures <= MAX_PICTURE_BYTES ? samples : samples.map((given) => ({ ...given, image: null }));
  const { problems: _untold, ...rest } = outcome;
  await commit({ put: [[KEY, { format: FORMAT, at, names: [...names], outcome: rest, samples: kept }]] });
}

/**
 * What was kept; null when there is nothing, or nothing that can be read.
 * @throws LorikeetError "storage-failed"
 */
export async function readEvaluation(): Promise<KeptEvaluation | null> {
  const { success, output } = v.safeParse(schema, await read<unknown>(KEY));
  return success ? { at: output.at, names: output.names, outcome: { ...output.outcome, problems: [] }, samples: output.samples } : null;
}

/** @throws LorikeetError "storage-failed" */
export async function forgetEvaluation(): Promise<void> {
  await commit({ remove: [KEY] });
}
