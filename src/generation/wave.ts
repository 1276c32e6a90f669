/** Decodes sequences together until each has ended; those that ended no longer take part. */
import type * as tf from '@tensorflow/tfjs';
import { gatherRows } from '../kernels/rows.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import { TokenChooser, type Sequence } from './chooser.ts';
import { decodeStep } from './decode.ts';
import type { GeneratedAnswer, GenerationOptions } from './options.ts';
import { completionRows } from './plan.ts';
import type { Prefilled } from './prefill.ts';

/** Steps between looks at what was generated: reading waits for the GPU. */
const STEPS_PER_READ = 8;

export interface WaveOptions extends Pick<GenerationOptions, 'maxNewTokens' | 'stopIds' | 'sampling' | 'repetitionPenalty' | 'suppressId'> {
  /** Called with the new ids of each answer after every read, and the tokens each may have by now; false ends the wave. */
  onRead: (fresh: ReadonlyMap<number, number[]>, steps: number) => boolean | Promise<boolean>;
}

/**
 * @param ropeDeltas per prompt, rotary position of the first new token minus the prompt's length
 * @param answers filled in at the sequences' indices
 * @returns false when onRead ended it early
 */
export async function decodeWave(
  model: VisionLanguageModel, context: PassContext, prompts: Prefilled, ropeDeltas: readonly number[], sequences: readonly Sequence[], answers: GeneratedAnswer[], options: WaveOptions,
): Promise<boolean> {
  const { gpu } = context;
  const { maxNewTokens, stopIds, sampling } = options;
  const capacity = completionRows(maxNewTokens);
  const layers = prompts.states.map((state) => state.fork({ prompts: sequences.map(({ prompt }) => prompt), capacity }));
  const penalty = sampling ? sampling.repetitionPenalty : (options.repetitionPenalty ?? 1);
  const chooser = new TokenChooser(context, model.parts.head, sampling, penalty, sequences, prompts.ids, options.suppressId);
  let active = sequences;
  let recent = gpu.empty([STEPS_PER_READ, active.length], 'int32');
  let ids = firstTokens(context, prompts, active, chooser);
  try {
    for (let step = 0; ; step++) {
      const count = active.length;
      const unread = (step % STEPS_PER_READ) + 1;
      gpu.copy(ids, 0, recent, (unread - 1) * count * 4, count * 4);
      const last = step === maxNewTokens - 1;
      if (last || unread === STEPS_PER_READ) {
        const values = await gpu.readInts(recent, unread * count);
        const going = await collect(active, values, stopIds, answers, (fresh) => options.onRead(fresh, step + 1));
        if (!going) return false;
        const left = active.filter(({ index }) => answers[index].stopId === null);
        if (last || left.length === 0) return true;
        if (left.length < count) {
          const newest = left.map((sequence) => values[(unread - 1) * count + active.indexOf(sequence)]);
          const places = gpu.upload(Int32Array.from(left, (sequence) => active.indexOf(sequence)), [left.length]);
          for (const layer of layers) layer.narrow(places);
          places.dispose();
          ids.dispose();
          recent.dispose();
          ids = gpu.upload(Int32Array.from(newest), [left.length]);
          recent = gpu.empty([STEPS_PER_READ, left.length], 'int32');
          chooser.narrow(left);
          active = left;
        }
      }
      const hidden = decodeStep(model, context, ids, active, step, ropeDeltas, { prompts, layers, capacity });
      ids.dispose();
      ids = chooser.choose(hidden, step + 1);
      hidden.dispose();
    }
  } finally {
    ids.dispose();
    recent.dispose();
    chooser.dispose();
    for (const layer of layers) layer.dispose();
  }
}

function firstTokens({ gpu }: PassContext, prompts: Prefilled, sequences: readonly Sequence[], chooser: TokenChooser): tf.Tensor {
  const rows = gpu.upload(Int32Array.from(sequences, ({ prompt }) => prompt), [sequences.length]);
  const hidden = gatherRows(gpu, prompts.last, rows);
  const ids = chooser.choose(hidden, 0);
  rows.dispose();
  hidden.dispose();
  return ids;
}

/** Adds steps × sequences ids to the answers, each up to its end, and hands on what is new. */
function collect(sequences: readonly Sequence[], values: Int32Array, stopIds: readonly number[], answers: GeneratedAnswer[], hand: (fresh: Map<number, number[]>) => boolean | Promise<boolean>): boolean | Promise<boolean> {
  const fresh = new Map<number, number[]>();
  sequences.forEach(({ index }, i) => {
    const answer = answers[index];
    const ids: number[] = [];
    for (let at = i; at < values.length && answer.stopId === null; at += sequences.length) {
      if (stopIds.includes(values[at])) answer.stopId = values[at];
      else ids.push(values[at]);
    }
    answer.ids.push(...ids);
    fresh.set(index, ids);
  });
  return hand(fresh);
}
