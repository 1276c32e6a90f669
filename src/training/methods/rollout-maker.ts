/** Samples answers, scores them and works out their advantages. */
import { groupAdvantages } from '../../objectives/advantages.ts';
import { weightedReward } from '../../objectives/rewards/contract.ts';
import type { TrainingConfig } from '../../protocol/config.ts';
import { withCompletion } from '../../processing/completion.ts';
import type { EncodedSample, PackedBatch } from '../../processing/types.ts';
import type { GeneratedAnswer } from '../../generation/options.ts';
import type { TrainableModel } from '../trainable-model.ts';
import type { Pack } from '../validation.ts';
import type { Breathe } from './method.ts';
import type { Rollout, RolloutRow } from './rollout.ts';
import { rolloutMetrics } from './rollout-metrics.ts';
import { rolloutShape } from './rollout-plan.ts';
import type { AnswerReader, RewardFault, RolloutPrompt, Scorer } from './scorer.ts';
import { byRow } from './targets.ts';

export interface RolloutParts {
  config: TrainingConfig;
  model: TrainableModel;
  /** The prompt of a training sample. */
  promptOf: (sample: number) => RolloutPrompt | Promise<RolloutPrompt>;
  pack: Pack;
  scorer: Scorer;
  reader: AnswerReader;
  onProgress: (stage: 'sampling' | 'scoring', done: number, total: number) => void;
  onFault: (fault: RewardFault) => void;
  /** Milliseconds. */
  clock: () => number;
}

/** Whether a group's rewards are all the same, so that it teaches nothing. */
function isFlat(rows: readonly RolloutRow[]): boolean {
  return rows.every(({ reward }) => reward === rows[0].reward);
}

export class RolloutMaker {
  constructor(private readonly parts: RolloutParts) {}

  /**
   * @param number of the rollout in the run; with the settings' seed it decides every random number
   * @param samples training samples whose prompts are answered
   * @returns null when `breathe` said stop
   */
  async make(number: number, samples: readonly number[], breathe: Breathe): Promise<Rollout | null> {
    const { config, scorer, clock } = this.parts;
    const { num_generations: size, redraw_zero_variance: redraws } = config;
    const prompts = await Promise.all(samples.map((sample) => this.parts.promptOf(sample)));
    const groups: RolloutRow[][] = new Array<RolloutRow[]>(prompts.length);
    const spent = { generate_ms: 0, score_ms: 0 };
    // The last rollout of an epoch may be short; its counters are those of a whole one all the same.
    const countersPerDraw = rolloutShape(config).prompts * size;
    let drawn = 0;
    let open = prompts.map((_, p) => p);
    for (let attempt = 0; attempt <= redraws && open.length > 0; attempt++) {
      let mark = clock();
      const answers = await this.sample(open.map((p) => prompts[p]), (number * (redraws + 1) + attempt) * countersPerDraw, open, breathe);
      if (!answers) return null;
      spent.generate_ms += clock() - mark;
      mark = clock();
      const rows = await this.score(open, prompts, answers);
      spent.score_ms += clock() - mark;
      open.forEach((p, i) => (groups[p] = rows.slice(i * size, (i + 1) * size)));
      drawn += attempt === 0 ? 0 : open.length;
      open = open.filter((p) => isFlat(groups[p]));
    }
    const rows = groups.flat();
    const advantages = groupAdvantages(rows.map(({ reward }) => reward), size, config.scale_rewards);
    rows.forEach((row, i) => (row.advantage = advantages.advantages[i]));
    const metrics = { ...rolloutMetrics(rows, scorer.terms), frac_reward_zero_std: advantages.zeroStdShare, ...spent, ...(redraws > 0 ? { redrawn_groups: drawn } : {}) };
    const rollout: Rollout = { number, rows, metrics };
    return config.num_iterations > 1 ? this.withOldLogProbs(rollout, breathe) : rollout;
  }

  /**
   * Rows as training samples, prompts and exactly the sampled ids, and as a batch in which the answers to a prompt follow
   * one copy of it where that is possible.
   */
  async pack(rows: readonly RolloutRow[]): Promise<{ samples: EncodedSample[]; batch: PackedBatch }> {
    const { promptOf, reader, pack } = this.parts;
    const samples = await Promise.all(rows.map(async ({ sample, ids }) => withCompletion((await promptOf(sample)).encoded, ids, { imageTokenId: reader.imageTokenId })));
    return { samples, batch: await pack(samples, rows.map(({ sample }) => sample)) };
  }

  /** @param counter of the first prompt's first answer, were all prompts of the rollout answered */
  private async sample(prompts: readonly RolloutPrompt[], counter: number, open: readonly number[], breathe: Breathe): Promise<GeneratedAnswer[] | null> {
    const { config, model, pack, reader, onProgress } = this.parts;
    const { num_generations: size } = config;
    const sampling = { temperature: config.temperature, topK: config.top_k, topP: config.top_p, repetitionPenalty: config.repetition_penalty, seed: config.seed };
    const whole = open.every((p, i) => p === open[0] + i);
    const answers: GeneratedAnswer[] = [];
    let going = true;
    // Prompts that do not lie side by side have counters that do not either.
    for (const part of whole ? [prompts] : prompts.map((prompt) => [prompt])) {
      const first = open[prompts.indexOf(part[0])];
      const encoded = part.map((prompt) => prompt.encoded);
      const generated = await model.generate(
        await pack(encoded),
        encoded.map(({ ropeDelta }) => ropeDelta),
        {
          maxNewTokens: config.max_completion_length,
          stopIds: reader.stopIds,
          numGenerations: size,
          sampling: { ...sampling, firstSequence: counter + first * size },
          suppressId: reader.imageTokenId,
          adapter: 'policy',
          onTokens: async (_, done, total) => {
            onProgress('sampling', done, total);
            return (going = await breathe());
          },
        },
      );
      if (!going) return null;
      answers.push(...generated);
    }
    return answers;
  }

  private async score(open: readonly number[], prompts: readonly RolloutPrompt[], answers: readonly GeneratedAnswer[]): Promise<RolloutRow[]> {
    const { config, scorer, reader, onProgress, onFault } = this.parts;
    const items = answers.map(({ ids }, i) => ({ prompt: prompts[open[Math.floor(i / config.num_generations)]], completion: reader.decode(ids) }));
    onProgress('scoring', 0, items.length);
    const { rewards, faults } = await scorer.score(items);
    onProgress('scoring', items.length, items.length);
    faults.forEach(onFault);
    return answers.map(({ ids, stopId }, i) => ({
      sample: items[i].prompt.index,
      ids: stopId === null ? ids : [...ids, stopId],
      truncated: stopId === null,
      rewards: rewards[i],
      reward: weightedReward(rewards[i], scorer.weights),
      advantage: 0,
      oldLogProbs: null,
    }));
  }

  private async withOldLogProbs(rollout: Rollout, breathe: Breathe): Promise<Rollout | null> {
    const { config, model } = this.parts;
    const { rows } = rollout;
    const { rows: size } = rolloutShape(config);
    for (let first = 0; first < rows.length; first += size) {
      if (!(await breathe())) return null;
      const part = rows.slice(first, first + size);
      const { batch } = await this.pack(part);
      const { logProbs } = await model.scoreTokens(batch, { model: 'policy', temperature: config.temperature });
      byRow(batch, logProbs).forEach((values, i) => (part[i].oldLogProbs = [...values]));
    }
    return rollout;
  }
}
