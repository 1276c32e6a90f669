/** Group relative policy optimisation: answers sampled in groups, rewarded, and made more or less likely by their advantage. Dropout is off. */
import { grpoLoss, type GrpoNormalizer, type GrpoSettings } from '../../objectives/grpo.ts';
import type { TrainingConfig } from '../../protocol/config.ts';
import type { CompletionGroup } from '../../protocol/messages.ts';
import type { PackedBatch } from '../../processing/types.ts';
import type { EpochOrder } from '../batches.ts';
import { GrpoFigures } from './grpo-figures.ts';
import type { Breathe, SampledAnswers, StepWork, TrainingMethod } from './method.ts';
import { readRollout, ROLLOUT_FILE, writeRollout, type Rollout, type RolloutRow } from './rollout.ts';
import { RolloutMaker, type RolloutParts } from './rollout-maker.ts';
import { RolloutPlan, rolloutShape } from './rollout-plan.ts';
import { byRow } from './targets.ts';

/** The loss's settings under their names in objectives/. */
export function grpoSettings(config: TrainingConfig): GrpoSettings {
  return {
    lossType: config.loss_type as GrpoSettings['lossType'],
    beta: config.beta,
    epsilon: config.epsilon,
    epsilonHigh: config.epsilon_high ?? config.epsilon,
    delta: config.delta,
    importanceSamplingLevel: config.importance_sampling_level,
    maxCompletionLength: config.max_completion_length,
  };
}

export class GrpoMethod implements TrainingMethod {
  readonly samplesAfter?: (step: number) => number;
  private readonly plan: RolloutPlan;
  private readonly settings: GrpoSettings;
  private readonly maker: RolloutMaker;
  private rollout: Rollout | null = null;

  /** @param promptCount training prompts, at least 1 */
  constructor(
    private readonly parts: RolloutParts,
    promptCount: number,
    order: EpochOrder,
  ) {
    const { config } = parts;
    this.plan = new RolloutPlan(config, promptCount, order);
    this.settings = grpoSettings(config);
    this.maker = new RolloutMaker(parts);
    if (config.method === 'grpo') this.samplesAfter = (step) => this.plan.promptsAfter(step);
  }

  get totalSteps(): number {
    return this.plan.totalSteps;
  }

  epochAfter(step: number): number {
    return this.plan.epochAfter(step);
  }

  async accumulate(step: number, breathe: Breathe): Promise<StepWork | null> {
    const number = this.plan.rolloutOf(step);
    if (this.rollout?.number !== number) {
      this.rollout = await this.maker.make(number, this.plan.prompts(number), breathe);
      if (!this.rollout) return null;
    }
    const { rows, metrics } = this.rollout;
    const figures = new GrpoFigures();
    const { rows: size } = rolloutShape(this.parts.config);
    const micro = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
    const counted = rows.filter((row) => !isMasked(row, this.parts.config));
    const normalizer: GrpoNormalizer = {
      rows: rows.length,
      completionTokens: counted.reduce((sum, { ids }) => sum + ids.length, 0),
      microBatches: micro.length,
    };
    let tokens = 0;
    for (const part of micro) {
      if (!(await breathe())) return null;
      const { samples, batch } = await this.maker.pack(part);
      tokens += samples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
      await this.backward(part, batch, normalizer, figures);
    }
    const result = figures.result();
    // Further steps on the same answers use no new prompts.
    const first = step === 0 || number !== this.plan.rolloutOf(step - 1);
    return {
      tokens,
      samples: first ? new Set(rows.map(({ sample }) => sample)).size : 0,
      weight: 1,
      read: () => Promise.resolve({ loss: result.loss, metrics: { ...metrics, ...result.metrics } }),
      completions: () => this.completions(step + 1, rows),
    };
  }

  private async completions(step: number, rows: readonly RolloutRow[]): Promise<SampledAnswers> {
    const { config, promptOf, reader, scorer } = this.parts;
    const groups: CompletionGroup[] = [];
    const images = new Map<number, Blob>();
    for (let first = 0; first < rows.length; first += config.num_generations) {
      const { index, id, prompt, truth, extra, imageSize, truthBoxes, image } = await promptOf(rows[first].sample);
      if (image) images.set(index, image);
      const completions = rows.slice(first, first + config.num_generations).map((row) => {
        const answer = reader.decode(row.ids);
        return {
          text: answer,
          boxes: reader.boxes(answer, { imageSize }),
          tokens: row.ids.length,
          truncated: row.truncated,
          rewards: Object.fromEntries(scorer.terms.map((term, t) => [term, row.rewards[t]])),
          reward: row.reward,
          advantage: row.advantage,
        };
      });
      groups.push({ step, sample: index, id, prompt, truth, ...(extra && { extra }), ...(imageSize && { imageSize }), truthBoxes, completions });
    }
    return { groups, images };
  }

  private async backward(rows: readonly RolloutRow[], batch: PackedBatch, normalizer: GrpoNormalizer, figures: GrpoFigures): Promise<void> {
    const { config, model } = this.parts;
    const { temperature } = config;
    const reference = config.beta > 0 ? byRow(batch, (await model.scoreTokens(batch, { model: 'reference', temperature })).logProbs) : null;
    await model.forwardBackwardOf(
      batch,
      (scores) => {
        const current = byRow(batch, scores.logProbs);
        const result = grpoLoss(
          rows.map((row, i) => ({
            logProbs: current[i],
            oldLogProbs: row.oldLogProbs,
            refLogProbs: reference?.[i] ?? null,
            advantage: row.advantage,
            masked: isMasked(row, config),
          })),
          this.settings,
          normalizer,
        );
        figures.add(result, scores, batch, rows.map((row) => isMasked(row, config)));
        const next = new Int32Array(rows.length);
        return Float32Array.from(batch.targetSample, (row) => result.gradients[row][next[row]++]);
      },
      { temperature, dropoutStep: null },
    );
  }

  /** The rollout belongs to the state only while steps still learn from it, or before the first of them did. */
  store(step: number): Map<string, Uint8Array> {
    const { rollout } = this;
    return rollout && rollout.number === this.plan.rolloutOf(step) ? new Map([[ROLLOUT_FILE, writeRollout(rollout)]]) : new Map<string, Uint8Array>();
  }

  restore(step: number, files: ReadonlyMap<string, Uint8Array>): void {
    const bytes = files.get(ROLLOUT_FILE);
    const rollout = bytes ? readRollout(bytes) : null;
    this.rollout = rollout?.number === this.plan.rolloutOf(step) ? rollout : null;
  }
}

/** Truncated answers carry no loss where that is wanted. */
function isMasked({ truncated }: RolloutRow, config: TrainingConfig): boolean {
  return truncated && config.mask_truncated_completions;
}
