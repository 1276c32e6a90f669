/** Steps of a Qwen3-VL-2B of random packed weights: SFT, DPO and GRPO, decoding, and where the time of a step goes. */
import type { Objective } from '../src/objectives/token-scores.ts';
import type { AdaptedModel } from '../src/training/adapted-model.ts';
import { demoAdapter } from './demo-model.ts';
import { dispatchTimes } from './gpu-time.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { randomBatch, type SampleShape } from './random-batch.ts';
import { randomModel } from './random-model.ts';
import { timeMedian } from './result.ts';
import { ADAMW, fitToCpu, MODEL, RASTERIZER, SFT, sftStep } from './sft-step.ts';

/** A pair of answers to one prompt. */
const PAIR: readonly SampleShape[] = [{ tokens: 512, side: 32, labels: 128 }, { tokens: 512, side: 32, labels: 128 }];
/** Prompts, and completions of each. */
const [PROMPTS, COMPLETIONS, NEW_TOKENS] = [4, 8, 64];
const PROMPT: SampleShape = { tokens: 320, side: 32, labels: 0 };
const TIMING = { minMs: 1000, minRuns: 3, maxRuns: 10 };

interface Scene extends BenchContext {
  model: AdaptedModel['model'];
  sized: (shapes: readonly SampleShape[]) => ReturnType<typeof randomBatch>;
}

async function stepsOf({ gpu, report, model, sized }: Scene, checkpointing: boolean, half = false): Promise<void> {
  const trainable = demoAdapter(model, checkpointing);
  const { batch } = await sized(SFT);
  const oneStep = sftStep(gpu, trainable, batch);
  let recording = 0;
  const step = async () => void (recording = await oneStep());
  await gpu.finish();
  const { pool } = gpu.backend;
  pool.trim();
  pool.peakBytes = pool.numBytesAllocated;
  const group = benchRealStep.name;
  const title = `SFT, r 16, NF4, ${checkpointing ? 'recomputing' : 'keeping activations'}${half ? ', tiles in f16' : ''}`;
  gpu.halfTiles = half;
  const first = await timeMedian(step, { minRuns: 1, maxRuns: 1, warmUp: false });
  report({ group, name: `${title}: first step`, shape: '', ms: first, value: first / 1e3, unit: 's', ratio: null });
  const [dispatches, submits] = [gpu.dispatches, gpu.backend.submits];
  await step();
  const counts = [gpu.dispatches - dispatches, gpu.backend.submits - submits];
  const ms = await timeMedian(step, TIMING);
  report({ group, name: title, shape: `${batch.tokenCount} tokens`, ms, value: (1e3 * batch.tokenCount) / ms, unit: 'tokens/s', ratio: null });
  report({ group, name: `${title}: recording in JavaScript`, shape: `${counts[0]} dispatches, ${counts[1]} submits`, ms: recording, value: (1e3 * recording) / counts[0], unit: 'µs a dispatch', ratio: null });
  report({ group, name: `${title}: GPU memory at its peak`, shape: '', ms: null, value: gpu.peakBytes() / 2 ** 30, unit: 'GiB', ratio: null });
  if (gpu.device.features.has('timestamp-query') && gpu.profile === 'gpu') await profile(group, title, { gpu, report }, step);
  gpu.halfTiles = false;
  trainable.dispose();
}

/** GPU time by kernel. */
async function profile(group: string, title: string, { gpu, report }: Pick<BenchContext, 'gpu' | 'report'>, step: () => Promise<void>): Promise<void> {
  const byKernel = new Map<string, { ms: number; calls: number }>();
  const times = await dispatchTimes(gpu, step);
  for (const { kernel: name, groups, ms } of times) {
    const kernel = `${name} ${groups.join(' × ')}`;
    const entry = byKernel.get(kernel) ?? { ms: 0, calls: 0 };
    byKernel.set(kernel, { ms: entry.ms + ms, calls: entry.calls + 1 });
  }
  const total = times.reduce((sum, { ms }) => sum + ms, 0);
  report({ group, name: `${title}: on the GPU`, shape: `${times.length} dispatches`, ms: total, value: total, unit: 'ms', ratio: null });
  for (const [kernel, { ms, calls }] of [...byKernel].sort((a, b) => b[1].ms - a[1].ms)) {
    report({ group, name: `  ${kernel}`, shape: `${calls} calls`, ms, value: (100 * ms) / total, unit: '%', ratio: null });
  }
}

async function preference({ gpu, report, model, sized }: Scene): Promise<void> {
  const trainable = demoAdapter(model);
  await trainable.setReference(await trainable.readAdapter());
  const { batch } = await sized(PAIR);
  const objective: Objective = () => new Float32Array(batch.targetRows.length).fill(-1 / batch.targetRows.length);
  const ms = await timeMedian(async () => {
    await trainable.scoreTokens(batch, { model: 'reference', temperature: 1 });
    await trainable.forwardBackwardOf(batch, objective, { temperature: 1, dropoutStep: null });
    await (await trainable.optimizerStep(ADAMW)).read();
    await gpu.finish();
  }, TIMING);
  report({ group: benchRealStep.name, name: 'DPO, one pair, reference scored, recomputing', shape: `${batch.tokenCount} tokens`, ms, value: (1e3 * batch.tokenCount) / ms, unit: 'tokens/s', ratio: null });
  trainable.dispose();
}

async function rewards({ gpu, report, model, sized }: Scene): Promise<void> {
  const trainable = demoAdapter(model);
  await trainable.setReference(await trainable.readAdapter());
  const prompts = await sized(Array.from({ length: PROMPTS }, () => PROMPT));
  const answered = await sized(Array.from({ length: COMPLETIONS }, () => ({ ...PROMPT, tokens: PROMPT.tokens + NEW_TOKENS, labels: NEW_TOKENS })));
  const group = benchRealStep.name;
  const sample = () =>
    trainable.generate(prompts.batch, prompts.ropeDeltas, {
      maxNewTokens: NEW_TOKENS, stopIds: [], numGenerations: COMPLETIONS, adapter: 'policy',
      sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1, firstSequence: 0 },
    });
  const sampling = await timeMedian(async () => void (await sample()), TIMING);
  const count = PROMPTS * COMPLETIONS * NEW_TOKENS;
  report({ group, name: `GRPO ${PROMPTS} × ${COMPLETIONS}: sampling`, shape: `${count} new tokens`, ms: sampling, value: (1e3 * count) / sampling, unit: 'tokens/s', ratio: null });
  const { batch } = answered;
  const objective: Objective = () => new Float32Array(batch.targetRows.length).fill(-1 / batch.targetRows.length);
  const learning = await timeMedian(async () => {
    for (let prompt = 0; prompt < PROMPTS; prompt++) {
      await trainable.scoreTokens(batch, { model: 'reference', temperature: 1 });
      await trainable.forwardBackwardOf(batch, objective, { temperature: 1, dropoutStep: null });
    }
    await (await trainable.optimizerStep(ADAMW)).read();
    await gpu.finish();
  }, TIMING);
  report({ group, name: `GRPO ${PROMPTS} × ${COMPLETIONS}: reference, forward, backward, step`, shape: `${PROMPTS * batch.tokenCount} tokens`, ms: learning, value: (1e3 * PROMPTS * batch.tokenCount) / learning, unit: 'tokens/s', ratio: null });
  trainable.dispose();
}

async function decoding({ gpu, report, model, sized }: Scene): Promise<void> {
  const trainable = demoAdapter(model);
  const linear = model.architecture.linearModules.filter(({ part }) => part === 'language_model').reduce((sum, { outFeatures, inFeatures }) => sum + outFeatures * inFeatures, 0);
  // 4 bits and a scale a weight, and the table in bfloat16.
  const bytes = linear * (0.5 + 1 / 64 + 4 / 64 / 256) + 2 * model.config.vocabSize * model.config.hiddenSize;
  for (const count of [1, 8]) {
    const { batch, ropeDeltas } = await sized(Array.from({ length: count }, () => PROMPT));
    const decode = async (tokens: number) => void (await trainable.generateGreedy(batch, ropeDeltas, tokens, []));
    const prompt = await timeMedian(() => decode(1), TIMING);
    const ms = (await timeMedian(() => decode(NEW_TOKENS + 1), TIMING)) - prompt;
    const group = benchRealStep.name;
    report({ group, name: `decoding, batch ${count}: prompts`, shape: `${batch.tokenCount} tokens`, ms: prompt, value: (1e3 * batch.tokenCount) / prompt, unit: 'tokens/s', ratio: null });
    report({ group, name: `decoding, batch ${count}: a token of each`, shape: '', ms: ms / NEW_TOKENS, value: (1e3 * count * NEW_TOKENS) / ms, unit: 'tokens/s', ratio: null });
    report({ group, name: `decoding, batch ${count}: weights read`, shape: `${(bytes / 1e9).toFixed(2)} GB a token`, ms: null, value: (NEW_TOKENS * bytes) / ms / 1e6, unit: 'GB/s', ratio: null });
    if (gpu.device.features.has('timestamp-query') && gpu.profile === 'gpu') await profile(group, `decoding, batch ${count}`, { gpu, report }, () => decode(NEW_TOKENS));
  }
  trainable.dispose();
}

export const benchRealStep: BenchGroup = {
  name: 'real step',
  optional: true,
  run: async (context) => {
    const { gpu } = context;
    const small = gpu.profile === 'rasterizer';
    const model = await randomModel(gpu, MODEL, small ? RASTERIZER.cut : null);
    const scene: Scene = { ...context, model, sized: (shapes) => randomBatch(model.architecture, small ? shapes.map(fitToCpu) : shapes) };
    for (const checkpointing of [true, false]) await stepsOf(scene, checkpointing);
    if (gpu.device.features.has('shader-f16')) await stepsOf(scene, true, true);
    await preference(scene);
    await rewards(scene);
    await decoding(scene);
    model.dispose();
  },
};
