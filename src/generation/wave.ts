/** Decodes sequences together until each has ended; the place of one that ended goes to one that waits. */
import type * as tf from '@tensorflow/tfjs';
import { gatherRows, joinRows } from '../kernels/rows.ts';
import { free } from '../model/parts/free.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import { TokenChooser, type Sequence } from './chooser.ts';
import { decodeStep, type WaveState } from './decode.ts';
import type { GeneratedAnswer, GenerationOptions } from './options.ts';
import { completionRows } from './plan.ts';
import type { Prefilled } from './prefill.ts';

/** Steps between looks at what was generated: reading waits for the GPU. */
const STEPS_PER_READ = 8;

export interface WaveOptions extends Pick<GenerationOptions, 'maxNewTokens' | 'stopIds' | 'sampling' | 'repetitionPenalty' | 'suppressId'> {
  /** Sequences decoded at once, at least 1. */
  slots: number;
  /** Called with the new ids of each answer after every read; false ends the wave. */
  onRead: (fresh: ReadonlyMap<number, number[]>) => boolean | Promise<boolean>;
}

/**
 * @param ropeDeltas per prompt, rotary position of the first new token minus the prompt's length
 * @param sequences in the order in which they get a place
 * @param answers filled in at the sequences' indices
 * @returns false when onRead ended it early
 */
export async function decodeWave(
  model: VisionLanguageModel, context: PassContext, prompts: Prefilled, ropeDeltas: readonly number[], sequences: readonly Pick<Sequence, 'index' | 'prompt'>[], answers: GeneratedAnswer[], options: WaveOptions,
): Promise<boolean> {
  const { gpu } = context;
  const { maxNewTokens, stopIds, sampling } = options;
  const waiting = [...sequences];
  /** Sequences that wait take these slots, and begin at this step. */
  const seat = (slots: readonly number[], start: number): Sequence[] => waiting.splice(0, slots.length).map((sequence, i) => ({ ...sequence, slot: slots[i], start }));
  let active = seat([...Array(options.slots).keys()], 0);
  const capacity = completionRows(maxNewTokens);
  const layers = prompts.states.map((state) => state.fork({ prompts: active.map(({ prompt }) => prompt), capacity }));
  const wave: WaveState = { prompts, layers, capacity };
  const penalty = sampling ? sampling.repetitionPenalty : (options.repetitionPenalty ?? 1);
  const chooser = new TokenChooser(context, model.parts.head, sampling, penalty, active, prompts.ids, options.suppressId);
  let recent = gpu.empty([STEPS_PER_READ, active.length], 'int32');
  let ids = firstTokens(context, prompts, active, chooser, 0);
  try {
    for (let step = 0, unread = 0; ; step++) {
      const count = active.length;
      gpu.copy(ids, 0, recent, unread * count * 4, count * 4);
      unread++;
      let begun: Sequence[] = [];
      if (unread === STEPS_PER_READ || active.some(({ start }) => step - start === maxNewTokens - 1)) {
        const values = await gpu.readInts(recent, unread * count);
        if (!(await options.onRead(collect(active, values, stopIds, maxNewTokens, answers)))) return false;
        const left = active.filter(({ index }) => answers[index].stopId === null && answers[index].ids.length < maxNewTokens);
        if (left.length < count) {
          const newest = left.map((sequence) => values[(unread - 1) * count + active.indexOf(sequence)]);
          const places = gpu.upload(Int32Array.from(left, (sequence) => active.indexOf(sequence)), [left.length]);
          for (const layer of layers) layer.narrow(places);
          free(places, ids, recent);
          ids = gpu.upload(Int32Array.from(newest), [left.length]);
          begun = seat(active.filter((sequence) => !left.includes(sequence)).map(({ slot }) => slot), step + 1);
          recent = gpu.empty([STEPS_PER_READ, left.length + begun.length], 'int32');
          active = left;
          chooser.turnTo(active);
        }
        unread = 0;
        if (active.length + begun.length === 0) return true;
      }
      if (active.length > 0) {
        const hidden = decodeStep(model, context, ids, active, step, ropeDeltas, wave);
        ids.dispose();
        ids = chooser.choose(hidden, step + 1);
        hidden.dispose();
      }
      if (begun.length > 0) {
        for (const layer of layers) layer.admit(begun.map(({ prompt }) => prompt));
        chooser.admit(begun, prompts.ids);
        const first = firstTokens(context, prompts, begun, chooser, step + 1);
        const joined = joinRows(gpu, ids, first);
        free(ids, first);
        ids = joined;
        active = [...active, ...begun];
        chooser.turnTo(active);
      }
    }
  } finally {
    free(ids, recent);
    chooser.dispose();
    for (const layer of layers) layer.dispose();
  }
}

/** The chooser has been turned to these sequences. */
function firstTokens({ gpu }: PassContext, prompts: Prefilled, sequences: readonly Sequence[], chooser: TokenChooser, step: number): tf.Tensor {
  const rows = gpu.upload(Int32Array.from(sequences, ({ prompt }) => prompt), [sequences.length]);
  const hidden = gatherRows(gpu, prompts.last, rows);
  const ids = chooser.choose(hidden, step);
  free(rows, hidden);
  return ids;
}

/** Adds steps × sequences ids to the answers, each up to its end; returns what is new. */
function collect(sequences: readonly Sequence[], values: Int32Array, stopIds: readonly number[], maxNewTokens: number, answers: GeneratedAnswer[]): Map<number, number[]> {
  const fresh = new Map<number, number[]>();
  sequences.forEach(({ index }, i) => {
    const answer = answers[index];
    const ids: number[] = [];
    for (let at = i; at < values.length && answer.stopId === null && answer.ids.length + ids.length < maxNewTokens; at += sequences.length) {
      if (stopIds.includes(values[at])) answer.stopId = values[at];
      else ids.push(values[at]);
    }
    answer.ids.push(...ids);
    fresh.set(index, ids);
  });
  return fresh;
}
