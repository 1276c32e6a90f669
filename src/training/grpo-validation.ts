/** Validation of GRPO: one answer to each of a fixed choice of prompts, greedy or seeded, scored with the run's rewards. Reads the model, never changes it. */
import { weightedReward } from '../objectives/rewards/contract.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { BestCheckpoint, ValRow } from '../protocol/log.ts';
import type { AnswerPreview } from '../protocol/messages.ts';
import { checkBestMetric, judgeRow } from './evaluation.ts';
import type { Continue, Evaluation, ValidationPlace, ValidationResult } from './evaluation.ts';
import type { AnswerReader, RolloutPrompt, Scorer } from './methods/scorer.ts';
import type { GenerationOptions } from '../generation/options.ts';
import type { TrainableModel } from './trainable-model.ts';
import type { Pack } from './validation.ts';

/** Keeps validation's random numbers apart from those of training. */
const SEED_OFFSET = 0x5eed_0001;

const mean = (values: readonly number[]) => (values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length);

export class GrpoValidator implements Evaluation {
  private before: ReadonlyMap<number, AnswerPreview['before']>;

  /**
   * @param prompts the prompts to answer, the same ones every time
   * @param earlier answers of the run's last validation before a resume, for their `before`
   * @throws LorikeetError "config" when the metric that chooses the best adapter is not measured
   */
  constructor(
    private readonly config: TrainingConfig,
    private readonly prompts: readonly RolloutPrompt[],
    private readonly pack: Pack,
    private readonly scorer: Scorer,
    private readonly reader: AnswerReader,
    earlier: readonly AnswerPreview[] = [],
  ) {
    const detection = Object.keys(reader.metrics(prompts.map(({ truth }) => ({ truth, answer: truth }))));
    checkBestMetric(config, [...Object.keys(this.rewardMetrics(scorer.terms.map(() => 0), 0)), ...detection], 'Choose one of these.');
    this.before = new Map(earlier.map(({ index, before }) => [index, before]));
  }

  get sampleCount(): number {
    return this.prompts.length;
  }

  async run(model: TrainableModel, at: ValidationPlace, goOn: Continue, clock: () => number): Promise<ValidationResult | null> {
    const started = clock();
    const { prompts, reader, scorer } = this;
    const texts = new Array<string>(prompts.length);
    const size = this.config.eval_batch_size;
    // In order, not by length: each prompt draws with its own position as counter, whatever the batch size.
    for (let first = 0; first < prompts.length; first += size) {
      const encoded = prompts.slice(first, first + size).map((prompt) => prompt.encoded);
      const ropeDeltas = encoded.map(({ ropeDelta }) => ropeDelta);
      const answers = await model.generate(await this.pack(encoded), ropeDeltas, this.options(first));
      model.releaseFree();
      answers.forEach(({ ids }, i) => (texts[first + i] = reader.decode(ids)));
      if (!(await goOn(first + encoded.length, prompts.length, 'answers'))) return null;
    }
    const { rewards } = await scorer.score(prompts.map((prompt, i) => ({ prompt, completion: texts[i] })));
    const totals = rewards.map((row) => weightedReward(row, scorer.weights));
    const usable = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
    const row: ValRow = {
      step: at.step,
      epoch: at.epoch,
      samples: at.samples,
      ...this.rewardMetrics(scorer.terms.map((_, t) => mean(usable(rewards.map((values) => values[t])))), mean(usable(totals))),
      ...reader.metrics(prompts.map(({ truth }, i) => ({ truth, answer: texts[i] }))),
      eval_runtime: (clock() - started) / 1000,
      eval_samples: prompts.length,
      time: new Date().toISOString(),
    };
    const answers = this.previews(texts, at.step);
    const predictions = answers.map(
      ({ index, id, prompt, truth, answer }, i) =>
        `${JSON.stringify({ step: at.step, index, id, prompt, truth, answer, ...this.pixels(i), reward: totals[i], rewards: Object.fromEntries(scorer.terms.map((term, t) => [term, rewards[i][t]])) })}\n`,
    );
    return { row, answers, predictions: predictions.join('') };
  }

  judge(row: ValRow, best: BestCheckpoint | null): BestCheckpoint | null {
    return judgeRow(this.config, row, best);
  }

  private options(firstSequence: number): GenerationOptions {
    const { max_completion_length: maxNewTokens, eval_temperature: temperature, seed } = this.config;
    const { stopIds } = this.reader;
    const sampling = temperature === 0 ? null : { temperature, topK: 0, topP: 1, repetitionPenalty: 1, seed: (seed + SEED_OFFSET) >>> 0, firstSequence };
    return { maxNewTokens, stopIds, numGenerations: 1, sampling, adapter: 'policy' };
  }

  /** The original's names, or TRL's. */
  private rewardMetrics(terms: readonly number[], total: number): Record<string, number> {
    const original = this.config.method === 'grpo';
    const named = this.scorer.terms.map((term, t) => [original ? `val_${term}` : `eval_rewards/${term}/mean`, terms[t]] as const);
    return { [original ? 'val_reward' : 'eval_reward']: total, ...Object.fromEntries(named.filter(([, value]) => Number.isFinite(value))) };
  }

  /** Boxes in pixels mean something only beside the size of their image: it is stored with the answer. */
  private pixels(i: number): { image_size?: [width: number, height: number] } {
    const { imageSize } = this.prompts[i];
    return this.config.box_convention === 'pixels' && imageSize ? { image_size: [imageSize.width, imageSize.height] } : {};
  }

  private previews(texts: readonly string[], step: number): AnswerPreview[] {
    const answers = this.prompts.map(({ index, id, prompt, truth, imageSize, truthBoxes, image }, i): AnswerPreview => {
      const answerBoxes = this.reader.boxes(texts[i], { imageSize });
      const before = step === 0 ? { answer: texts[i], boxes: answerBoxes } : (this.before.get(index) ?? null);
      return { index, id, prompt, truth, answer: texts[i], truthBoxes, answerBoxes, before, image };
    });
    this.before = new Map(answers.map(({ index, before }) => [index, before]));
    return answers;
  }
}
