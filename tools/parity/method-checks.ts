/** DPO and GRPO against the stored losses and gradients: log-probabilities from the engine, formulas from src/objectives. */
import { groupAdvantages } from '../../src/objectives/advantages.ts';
import { dpoLoss, type DpoLossType, type DpoResult } from '../../src/objectives/dpo.ts';
import { grpoLoss, type GrpoLossType, type GrpoRow } from '../../src/objectives/grpo.ts';
import { withCompletion } from '../../src/processing/completion.ts';
import { picturesOf } from '../../src/protocol/media.ts';
import type { EncodedSample, PackedBatch } from '../../src/processing/types.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { compare, EXACT, type CheckResult, type Limit } from './check.ts';
import { loadModel, openAdapter, withAdapter } from './engine.ts';
import type { Folder, Json, TensorReader } from './folder.ts';
import { llavaMessages } from './llava-messages.ts';
import { openProcessor, toSample } from './processing-checks.ts';

type Report = (check: CheckResult) => void;

const LOSS: Limit = { measure: 'rel', tolerance: 1e-4 };
const GRADIENT: Limit = { measure: 'relL2', tolerance: 1e-4 };
const ENCODING = { maxLength: 1_000_000, maxImageSize: 0 };

interface Rows {
  trainable: AdaptedModel;
  batch: PackedBatch;
  /** Splits one value per target by row. */
  split: (values: Float32Array) => Float32Array[];
}

/** The rows' prompts with their stored completions as one batch, the stored adapter on the model, and its pixel values as stored. */
async function openRows(folder: Folder, prompts: readonly Json[][], completions: readonly number[][], promptIds: readonly number[][], name: string, report: Report): Promise<Rows> {
  const processor = await openProcessor(folder, 'checkpoint');
  const model = await loadModel(folder, 'checkpoint', () => 'bf16');
  const encoded: EncodedSample[] = [];
  const images: string[][] = [];
  for (const [row, messages] of prompts.entries()) {
    const sample = await toSample(folder, 'images', messages, `${name}-${row}`);
    images.push(picturesOf(sample.media).map(({ path }) => path));
    const prompt = await processor.encodePrompt(sample, ENCODING);
    report(compare(`${name}/row_${row}/prompt_ids`, prompt.inputIds, promptIds[row], EXACT));
    encoded.push(withCompletion(prompt, completions[row], { imageTokenId: model.config.imageTokenId }));
  }
  const numbers = prompts.map((messages) => prompts.findIndex((other) => JSON.stringify(other) === JSON.stringify(messages)));
  const batch = await processor.pack(encoded, numbers);
  if (folder.has('images/pixel_values.safetensors')) {
    const stored = await folder.tensors('images/pixel_values.safetensors');
    let at = 0;
    // A shared prompt's pictures are there once.
    for (const image of images.filter((_, row) => !batch.prefixes || numbers[row] === row).flat()) {
      const pixels = await stored.floats(`${image}.torchvision`);
      batch.pixelValues.set(pixels, at);
      at += pixels.length;
    }
  }
  const starts: number[] = [];
  completions.reduce((start, { length }) => (starts.push(start), start + length), 0);
  const split = (values: Float32Array) => starts.map((start, row) => values.slice(start, start + completions[row].length));
  return { trainable: await withAdapter(model, await openAdapter(folder, 'lora', model)), batch, split };
}

/** Gradient of the loss, compared tensor by tensor where it is stored; then the gradient buffer is cleared. */
async function checkGradient(name: string, { trainable, batch }: Rows, temperature: number, slopes: (logProbs: Float32Array) => Float32Array, norm: number, stored: TensorReader, key: string, report: Report): Promise<void> {
  await trainable.forwardBackwardOf(batch, ({ logProbs }) => slopes(logProbs), { temperature, dropoutStep: null });
  const gradients = await trainable.adapter.read('gradients');
  const actual = Math.sqrt(gradients.reduce((sum, { data }) => data.reduce((inner, value) => inner + value * value, sum), 0));
  report(compare(`${name}/grad_norm`, [actual], [norm], LOSS));
  for (const { name: tensor, data } of gradients) {
    const path = `${key}/grad/base_model.model.${tensor}`;
    if (stored.has(path)) report(compare(`${name}/grad/${tensor}`, data, await stored.floats(path), GRADIENT));
  }
  trainable.adapter.write('gradients', gradients.map((tensor) => ({ ...tensor, data: new Float32Array(tensor.data.length) })));
}

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
const joined = (rows: readonly (readonly number[] | Float64Array)[]) => Float32Array.from(rows.flatMap((row) => [...row]));

/** The fixtures' name of conservative DPO. */
const dpoType = (variant: string): DpoLossType => (variant === 'sigmoid_label_smoothing' ? 'cdpo' : variant) as DpoLossType;

export async function checkDpo(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('cases/dpo.json')) return;
  const stored = await folder.json('cases/dpo.json');
  const tensors = await folder.tensors('cases/dpo.safetensors');
  const pairs = (stored.pairs as Json[]).length;
  // Rows are all chosen answers, then all rejected ones.
  const prompts = [...(stored.pairs as Json[]), ...(stored.pairs as Json[])].map(({ prompt }) => llavaMessages(prompt));
  const masked = (row: number, wanted: number) => (stored.input_ids[row] as number[]).filter((_, t) => stored.attention_mask[row][t] === 1 && stored.completion_mask[row][t] === wanted);
  const completions = prompts.map((_, row) => masked(row, 1));
  const rows = await openRows(folder, prompts, completions, prompts.map((_, row) => masked(row, 0)), 'dpo', report);
  const { trainable, batch, split } = rows;
  const logProbs: Record<'policy' | 'reference', Float32Array[]> = { policy: [], reference: [] };
  for (const model of ['policy', 'reference'] as const) {
    const { logProbs: values } = await trainable.scoreTokens(batch, { temperature: 1, model });
    logProbs[model] = split(values);
    const prefix = model === 'policy' ? 'policy' : 'ref';
    const name = `${prefix}_per_token_logps`;
    const expected = await tensors.floats(name);
    const width = tensors.shape(name)[1];
    report(compare(`dpo/${name}`, values, Float32Array.from(expected.filter((_, i) => stored.completion_mask[Math.floor(i / width)][(i % width) + 1] === 1)), LOSS));
    const sums = logProbs[model].map(sum);
    report(compare(`dpo/${prefix}_chosen_logps`, sums.slice(0, pairs), stored[`${prefix}_chosen_logps`], LOSS));
    report(compare(`dpo/${prefix}_rejected_logps`, sums.slice(pairs), stored[`${prefix}_rejected_logps`], LOSS));
  }
  const normalizer = { pairs, chosenTokens: completions.slice(0, pairs).reduce((total, { length }) => total + length, 0) };
  for (const [variant, expected] of Object.entries(stored.losses as Record<string, Json>)) {
    const lossOf = (policy: Float32Array[]): DpoResult =>
      dpoLoss(
        Array.from({ length: pairs }, (_, p) => ({
          policyChosen: sum(policy[p]),
          policyRejected: sum(policy[p + pairs]),
          refChosen: sum(logProbs.reference[p]),
          refRejected: sum(logProbs.reference[p + pairs]),
          chosenTokens: completions[p].length,
          rejectedTokens: completions[p + pairs].length,
        })),
        { beta: stored.beta, lossTypes: [dpoType(variant)], lossWeights: [1], labelSmoothing: stored.label_smoothing },
        normalizer,
      );
    const name = `dpo/${variant}`;
    const { loss, perPair } = lossOf(logProbs.policy);
    report(compare(`${name}/loss`, [loss], [expected.loss], LOSS));
    report(compare(`${name}/per_pair`, perPair.map((pair) => pair.loss), expected.per_pair, LOSS));
    report(compare(`${name}/rewards_chosen`, perPair.map((pair) => pair.chosenReward), stored.rewards_chosen, LOSS));
    report(compare(`${name}/rewards_rejected`, perPair.map((pair) => pair.rejectedReward), stored.rewards_rejected, LOSS));
    report(compare(`${name}/margins`, perPair.map((pair) => pair.margin), stored.margins, LOSS));
    report(compare(`${name}/rewards_accuracy`, [perPair.filter(({ correct }) => correct).length / pairs], [stored.rewards_accuracy], LOSS));
    const slopes = (values: Float32Array) => {
      const { dChosen, dRejected } = lossOf(split(values));
      return joined([...dChosen, ...dRejected].map((slope, row) => new Array<number>(completions[row].length).fill(slope)));
    };
    await checkGradient(name, rows, 1, slopes, expected.grad_norm, tensors, variant, report);
  }
  trainable.dispose();
}

export async function checkGrpo(folder: Folder, report: Report): Promise<void> {
  if (!folder.has('cases/grpo.json')) return;
  const stored = await folder.json('cases/grpo.json');
  const tensors = await folder.tensors('cases/grpo.safetensors');
  const { num_generations: generations, temperature } = stored;
  const completions = stored.completion_ids as number[][];
  const prompts = completions.map((_, row) => stored.prompts[Math.floor(row / generations)].messages as Json[]);
  const rows = await openRows(folder, prompts, completions, stored.prompt_ids, 'grpo', report);
  const { trainable, batch, split } = rows;
  const padded = async (name: string): Promise<Float32Array[]> => {
    const values = await tensors.floats(name);
    const width = tensors.shape(name)[1];
    return completions.map(({ length }, row) => values.slice(row * width, row * width + length));
  };
  const old = await padded('old_logps');
  const policy = (await trainable.scoreTokens(batch, { temperature, model: 'policy' })).logProbs;
  const reference = (await trainable.scoreTokens(batch, { temperature, model: 'reference' })).logProbs;
  report(compare('grpo/policy_logps', policy, joined((await padded('policy_logps')).map((row) => [...row])), LOSS));
  report(compare('grpo/ref_logps', reference, joined((await padded('ref_logps')).map((row) => [...row])), LOSS));
  for (const scale of ['group', 'batch', 'none'] as const) report(compare(`grpo/advantages/${scale}`, groupAdvantages(stored.rewards, generations, scale).advantages, stored.advantages[scale], LOSS));
  const { advantages } = groupAdvantages(stored.rewards, generations, 'group');
  const ref = split(reference);
  for (const [variant, expected] of Object.entries(stored.losses as Record<string, Json>)) {
    const [, lossType, beta, mode] = /^(\w+)\/beta=([\d.]+)\/(\w+)$/.exec(variant) ?? [];
    const lossOf = (logProbs: Float32Array[]) =>
      grpoLoss(
        logProbs.map((own, row): GrpoRow => ({ logProbs: own, oldLogProbs: mode === 'off_policy' ? old[row] : null, refLogProbs: ref[row], advantage: advantages[row], masked: false })),
        { lossType: lossType as GrpoLossType, beta: Number(beta), epsilon: stored.epsilon, epsilonHigh: stored.epsilon, delta: null, importanceSamplingLevel: 'token', maxCompletionLength: stored.max_completion_length },
        { rows: completions.length, completionTokens: policy.length, microBatches: 1 },
      );
    const name = `grpo/${variant}`;
    const { loss, stats, perTokenLoss } = lossOf(split(policy));
    report(compare(`${name}/loss`, [loss], [expected.loss], LOSS));
    if (stats.kl !== null) report(compare(`${name}/kl_mean`, [stats.kl], [expected.kl_mean], LOSS));
    const clips = ['low_mean', 'high_mean', 'region_mean', 'low_min', 'high_max'].map((key) => expected[`clip_ratio_${key}`] as number);
    report(compare(`${name}/clip_ratios`, [stats.lowMean, stats.highMean, stats.regionMean, stats.lowMin, stats.highMax], clips, LOSS));
    const key = `${lossType}_beta${beta}`;
    const off = mode === 'off_policy';
    if (off && tensors.has(`${key}/per_token_loss`)) report(compare(`${name}/per_token_loss`, joined(perTokenLoss), joined((await padded(`${key}/per_token_loss`)).map((row) => [...row])), LOSS));
    await checkGradient(name, rows, temperature, (values) => joined(lossOf(split(values)).gradients), expected.grad_norm, tensors, off ? key : 'none', report);
  }
  trainable.dispose();
}
