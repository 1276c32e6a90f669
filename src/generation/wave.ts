/** Decodes sequences together until each has ended; the place of one that ended goes to one that waits. */
import type { Gpu } from '../gpu/gpu.ts';
import { gatherRows, joinRows } from '../kernels/rows.ts';
import { free } from '../model/parts/free.ts';
import type { PassContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import { TokenChooser, type Choice, type Sequence } from './chooser.ts';
import { decodeStep, type WaveState } from './decode.ts';
import type { GeneratedAnswer, GenerationOptions } from './options.ts';
import { completionRows } from './plan.ts';
import { Recent, STEPS_PER_READ, type ReadTokens } from './recent.ts';
import type { Prefilled } from './prefill.ts';

export interface WaveOptions extends Pick<GenerationOptions, 'maxNewTokens' | 'stopIds' | 'sampling' | 'repetitionPenalty' | 'suppressId' | 'withProbabilities'> {
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
  const chooser = new TokenChooser(context, model.parts.head, sampling, penalty, active, prompts.ids, options.suppressId, options.withProbabilities);
  let recent = new Recent(gpu, active.length, options.withProbabilities === true);
  let chosen = firstTokens(context, prompts, active, chooser, 0);
  try {
    for (let step = 0, unread = 0; ; step++) {
      const count = active.length;
      recent.take(chosen, unread);
      unread++;
      let begun: Sequence[] = [];
      if (unread === STEPS_PER_READ || active.some(({ start }) => step - start === maxNewTokens - 1)) {
        const read = await recent.read(unread);
        const values = read.ids;
        if (!(await options.onRead(collect(active, read, stopIds, maxNewTokens, answers)))) return false;
        const left = active.filter(({ index }) => answers[index].stopId === null && answers[index].ids.length < maxNewTokens);
        if (left.length < count) {
          const newest = left.map((sequence) => values[(unread - 1) * count + active.indexOf(sequence)]);
          const places = gpu.upload(Int32Array.from(left, (sequence) => active.indexOf(sequence)), [left.length]);
          for (const layer of layers) layer.narrow(places);
          recent.dispose();
          // These tokens have been read, with their sums: only what follows from them is still to come.
          free(places, chosen.ids, chosen.sums);
          chosen = { ids: gpu.upload(Int32Array.from(newest), [left.length]), sums: options.withProbabilities ? gpu.empty([left.length]) : null };
          begun = seat(active.filter((sequence) => !left.includes(sequence)).map(({ slot }) => slot), step + 1);
          recent = new Recent(gpu, left.length + begun.length, options.withProbabilities === true);
          active = left;
          chooser.turnTo(active);
        }
        unread = 0;
        if (active.length + begun.length === 0) return true;
      }
      if (active.length > 0) {
        const hidden = decodeStep(model, context, chosen.ids, active, step, ropeDeltas, wave);
        free(chosen.ids, chosen.sums);
        chosen = chooser.choose(hidden, step + 1);
        hidden.dispose();
      }
      if (begun.length > 0) {
        for (const layer of layers) layer.admit(begun.map(({ prompt }) => prompt));
        chooser.admit(begun, prompts.ids);
        const first = firstTokens(context, prompts, begun, chooser, step + 1);
        const joined = joinChoices(gpu, chosen, first);
        free(chosen.ids, chosen.sums, first.ids, first.sums);
        chosen = joined;
        active = [...active, ...begun];
        chooser.turnTo(active);
      }
    }
  } finally {
    recent.dispose();
    free(chosen.ids, chosen.sums);
    chooser.dispose();
    for (const layer of layers) layer.dispose();
  }
}

/** The chooser has been turned to these sequences. */
function firstTokens({ gpu }: PassContext, prompts: Prefilled, sequences: readonly Sequence[], chooser: TokenChooser, step: number): Choice {
  const rows = gpu.upload(Int32Array.from(sequences, ({ prompt }) => prompt), [sequences.length]);
  const hidden = gatherRows(gpu, prompts.last, rows);
  const choice = chooser.choose(hidden, step);
  free(rows, hidden);
  return choice;
}

/** Choices of two groups of sequences as one. */
function joinChoices(gpu: Gpu, going: Choice, first: Choice): Choice {
  return { ids: joinRows(gpu, going.ids, first.ids), sums: going.sums && first.sums && joinRows(gpu, going.sums, first.sums) };
}

/** Adds steps × sequences tokens to the answers, each up to its end; returns what is new. */
function collect(sequences: readonly Sequence[], { ids: values, sums }: ReadTokens, stopIds: readonly number[], maxNewTokens: number, answers: GeneratedAnswer[]): Map<number, number[]> {
  const fresh = new Map<number, number[]>();
  sequences.forEach(({ index }, i) => {
    const answer = answers[index];
    const ids: number[] = [];
    for (let at = i; at < values.length && answer.stopId === null && answer.ids.length + ids.length < maxNewTokens; at += sequences.length) {
      if (stopIds.includes(values[at])) {
        answer.stopId = values[at];
        continue;
      }
      ids.push(values[at]);
      if (sums) (answer.probabilities ??= []).push(1 / sums[at]);
    }
    answer.ids.push(...ids);
    fresh.set(index, ids);
  });
  return fresh;
}
