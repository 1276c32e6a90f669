/** Validation: token-weighted loss and, if wanted, greedy answers on a fixed choice of samples. Reads the model, never changes it. */
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant } from '../protocol/errors.ts';
import type { BestCheckpoint, ValRow } from '../protocol/log.ts';
import type { AnswerPreview, LabelledBox } from '../protocol/messages.ts';
import type { EncodedSample, PackedBatch } from '../processing/types.ts';
import { batchesByLength, checkBestMetric, judgeRow, requireFinite } from './evaluation.ts';
import type { Continue, Evaluation, ValidationPlace, ValidationResult } from './evaluation.ts';
import type { TrainableModel } from './trainable-model.ts';

export interface ValidationSample {
  /** Position in the validation split. */
  index: number;
  sample: EncodedSample;
}

/** The last question of a sample, without the answer. */
export interface ValidationPrompt {
  /** Everything up to the start of the answer; labels carry no loss. */
  encoded: EncodedSample;
  prompt: string;
  truth: string;
  truthBoxes: LabelledBox[];
  image: Blob | null;
  /** Of the first picture as the model sees it, where there is one. */
  imageSize?: { width: number; height: number };
}

/** Turns generated ids into answers and answers into figures. */
export interface AnswerTask {
  readonly stopIds: readonly number[];
  prompt(sample: ValidationSample): Promise<ValidationPrompt>;
  decode(ids: readonly number[]): string;
  boxes(answer: string, prompt: Pick<ValidationPrompt, 'imageSize'>): LabelledBox[];
  /** Metrics with the names they have in the log ("eval_f1", …). */
  score(pairs: readonly { truth: string; answer: string }[]): Record<string, number>;
  /** Names that `score` returns. */
  readonly metricNames: readonly string[];
}

/** @param prompts number of the prompt that each sample begins with, where samples may share one */
export type Pack = (samples: readonly EncodedSample[], prompts?: readonly number[]) => Promise<PackedBatch>;

type ValidationConfig = Pick<
  TrainingConfig,
  'eval_batch_size' | 'max_new_tokens' | 'metric_for_best_model' | 'greater_is_better' | 'min_delta'
>;

export class Validator implements Evaluation {
  private before: ReadonlyMap<number, AnswerPreview['before']>;

  /**
   * @param chosen the samples to measure, the same ones every time
   * @param answers null where no answers are to be generated
   * @param earlier answers of the run's last validation before a resume, for their `before`
   * @throws LorikeetError "config" when the metric that chooses the best adapter is not measured
   */
  constructor(
    private readonly config: ValidationConfig,
    private readonly chosen: readonly ValidationSample[],
    private readonly pack: Pack,
    private readonly answers: AnswerTask | null,
    earlier: readonly AnswerPreview[] = [],
  ) {
    const measured = ['eval_loss', ...(answers?.metricNames ?? [])];
    checkBestMetric(config, measured, answers ? 'Choose one of these.' : 'Choose eval_loss, or switch eval_generate on.');
    this.before = new Map(earlier.map(({ index, before }) => [index, before]));
  }

  get sampleCount(): number {
    return this.chosen.length;
  }

  async run(model: TrainableModel, at: ValidationPlace, goOn: Continue, clock: () => number): Promise<ValidationResult | null> {
    const started = clock();
    const nll = await this.measureLoss(model, goOn);
    if (!nll) return null;
    const loss = nll.reduce((sum, part) => sum + part.nll, 0) / nll.reduce((sum, part) => sum + part.tokens, 0);
    requireFinite('validation loss', loss, at.step);
    model.releaseFree();
    const answers = this.answers ? await this.generate(model, this.answers, at.step, goOn) : [];
    if (!answers) return null;
    const row: ValRow = {
      step: at.step,
      epoch: at.epoch,
      eval_loss: loss,
      eval_runtime: (clock() - started) / 1000,
      eval_samples: this.chosen.length,
      time: new Date().toISOString(),
      ...(this.answers?.score(answers) ?? {}),
    };
    const predictions = answers.map(({ index, id, prompt, truth, answer }) => `${JSON.stringify({ step: at.step, index, id, prompt, truth, answer })}\n`);
    return { row, answers, predictions: predictions.join('') };
  }

  /** Sum of −log p and number of label tokens per chosen sample, in the samples' own order whatever the batching. */
  private async measureLoss(model: TrainableModel, goOn: Continue): Promise<{ nll: number; tokens: number }[] | null> {
    const sums = this.chosen.map(() => ({ nll: 0, tokens: 0 }));
    const batches = batchesByLength(this.chosen.map(({ sample }) => sample.inputIds.length), this.config.eval_batch_size);
    let done = 0;
    for (const batch of batches) {
      const packed = await this.pack(batch.map((i) => this.chosen[i].sample));
      const nll = await model.tokenNll(packed);
      invariant(nll.length === packed.targetIds.length, 'one −log p per target');
      nll.forEach((value, target) => {
        const sum = sums[batch[packed.targetSample[target]]];
        sum.nll += value;
        sum.tokens += 1;
      });
      done += batch.length;
      if (!(await goOn(done, this.chosen.length, 'loss'))) return null;
    }
    return sums;
  }

  private async generate(model: TrainableModel, task: AnswerTask, step: number, goOn: Continue): Promise<AnswerPreview[] | null> {
    const prompts: ValidationPrompt[] = [];
    for (const sample of this.chosen) prompts.push(await task.prompt(sample));
    const texts: string[] = new Array<string>(prompts.length);
    let done = 0;
    const lengths = prompts.map(({ encoded }) => encoded.inputIds.length);
    const atOnce = Math.min(this.config.eval_batch_size, model.promptsAtOnce(Math.max(...lengths), this.config.max_new_tokens));
    for (const batch of batchesByLength(lengths, atOnce)) {
      const encoded = batch.map((i) => prompts[i].encoded);
      const ropeDeltas = encoded.map((prompt) => prompt.ropeDelta);
      const generated = await model.generateGreedy(await this.pack(encoded), ropeDeltas, this.config.max_new_tokens, task.stopIds);
      model.releaseFree();
      generated.forEach(({ ids }, i) => (texts[batch[i]] = task.decode(ids)));
      done += batch.length;
      if (!(await goOn(done, this.chosen.length, 'answers'))) return null;
    }
    const answers = this.chosen.map(({ index, sample }, i): AnswerPreview => {
      const { prompt, truth, truthBoxes, image } = prompts[i];
      const answerBoxes = task.boxes(texts[i], prompts[i]);
      const before = step === 0 ? { answer: texts[i], boxes: answerBoxes } : (this.before.get(index) ?? null);
      return { index, id: sample.id, prompt, truth, answer: texts[i], truthBoxes, answerBoxes, before, image };
    });
    this.before = new Map(answers.map(({ index, before }) => [index, before]));
    return answers;
  }

  judge(row: ValRow, best: BestCheckpoint | null): BestCheckpoint | null {
    return judgeRow(this.config, row, best);
  }
}
