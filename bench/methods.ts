/** What preference and reward training cost beyond supervised training: sampled answers, the read-back of log-probabilities, memory. */
import type { Gpu } from '../src/gpu/gpu.ts';
import type { PackedBatch } from '../src/processing/types.ts';
import type { GenerationOptions } from '../src/generation/options.ts';
import type { AdamWSettings } from '../src/kernels/adamw.ts';
import type { Objective } from '../src/objectives/token-scores.ts';
import type { AdaptedModel } from '../src/training/adapted-model.ts';
import { demoAdapter, openDemo } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const ROWS = 8;
const NEW_TOKENS = 32;
const MIB = 2 ** 20;
const ADAMW: AdamWSettings = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
/** Nothing stops it, so that every answer has all its tokens. */
const SAMPLED: Omit<GenerationOptions, 'numGenerations'> = {
  maxNewTokens: NEW_TOKENS,
  stopIds: [],
  sampling: { temperature: 1, topK: 0, topP: 0.9, repetitionPenalty: 1, seed: 1, firstSequence: 0 },
  adapter: 'policy',
};

/** Highest bytes of GPU buffers while `work` runs, from a trimmed pool. */
async function peakOf(gpu: Gpu, work: () => Promise<void>): Promise<number> {
  await gpu.finish();
  const { pool } = gpu.backend;
  pool.trim();
  pool.peakBytes = pool.numBytesAllocated;
  await work();
  await gpu.finish();
  return gpu.peakBytes();
}

async function measureSampling({ gpu, report, options }: BenchContext): Promise<void> {
  const { model, processor, prompts } = await openDemo(gpu, options.demoUrl, 'nf4', ROWS);
  const trainable = demoAdapter(model);
  for (const [count, numGenerations] of [[1, 1], [8, 1], [1, 8]]) {
    const chosen = prompts.slice(0, count);
    const batch = await processor.pack(chosen);
    const deltas = chosen.map(({ ropeDelta }) => ropeDelta);
    const ms = await timeMedian(
      async () => {
        const answers = await trainable.generate(batch, deltas, { ...SAMPLED, numGenerations });
        if (answers.some(({ ids }) => ids.length !== NEW_TOKENS)) throw new Error(`sampling stopped before ${NEW_TOKENS} tokens`);
      },
      { minMs: 1000, minRuns: 2 },
    );
    const name = `sampled, ${count} ${count === 1 ? 'prompt' : 'prompts'} × ${numGenerations}, prompts and ${NEW_TOKENS} new tokens each`;
    report({ group: benchMethods.name, name, shape: `${batch.tokenCount} prompt tokens`, ms, value: ((count * numGenerations * NEW_TOKENS) / ms) * 1e3, unit: 'tokens/s', ratio: null });
  }
  trainable.dispose();
  model.dispose();
}

async function measureSteps({ gpu, report, options }: BenchContext): Promise<void> {
  const group = benchMethods.name;
  const { model, processor, samples, prompts } = await openDemo(gpu, options.demoUrl, 'nf4', ROWS);
  const batch = await processor.pack(samples);
  const shape = `${ROWS} rows, ${batch.tokenCount} tokens`;
  const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
  const objective: Objective = () => weights.map((weight) => -weight);
  const sft = async (trainable: AdaptedModel) => void (await (await trainable.forwardBackward(batch, weights, 0)).read());
  const readBack = (trainable: AdaptedModel) => trainable.forwardBackwardOf(batch, objective, { temperature: 1, dropoutStep: null });

  const trainable = demoAdapter(model);
  const finished = (work: (model: AdaptedModel) => Promise<void>) => async () => {
    await work(trainable);
    await gpu.finish();
  };
  const plainMs = await timeMedian(finished(sft), { minMs: 3000, minRuns: 2 });
  const readMs = await timeMedian(finished(readBack), { minMs: 3000, minRuns: 2 });
  report({ group, name: 'forward and backward, loss on the GPU', shape, ms: plainMs, value: (batch.tokenCount / plainMs) * 1e3, unit: 'tokens/s', ratio: 'baseline' });
  report({ group, name: 'the same, log-probabilities read back and weighed outside', shape, ms: readMs, value: (batch.tokenCount / readMs) * 1e3, unit: 'tokens/s', ratio: plainMs / readMs });
  trainable.dispose();

  const peaks = await measurePeaks(gpu, () => demoAdapter(model), { batch, sft, readBack, prompts: await processor.pack(prompts.slice(0, 2)), deltas: prompts.slice(0, 2).map(({ ropeDelta }) => ropeDelta) });
  for (const [name, bytes] of Object.entries(peaks)) {
    report({ group, name: `GPU memory at its peak, ${name} step`, shape, ms: null, value: bytes / MIB, unit: 'MiB', ratio: name === 'SFT' ? 'baseline' : peaks.SFT / bytes });
  }
  model.dispose();
}

interface Steps {
  batch: PackedBatch;
  sft: (trainable: AdaptedModel) => Promise<void>;
  readBack: (trainable: AdaptedModel) => Promise<void>;
  prompts: PackedBatch;
  deltas: readonly number[];
}

/** Peaks of a step of each method on the same tokens, each on a model of its own. DPO and GRPO hold a reference adapter besides. */
async function measurePeaks(gpu: Gpu, open: () => AdaptedModel, { batch, sft, readBack, prompts, deltas }: Steps): Promise<Record<'SFT' | 'DPO' | 'GRPO', number>> {
  const measured = async (prepare: (trainable: AdaptedModel) => Promise<void>, step: (trainable: AdaptedModel) => Promise<void>) => {
    const trainable = open();
    await prepare(trainable);
    const peak = await peakOf(gpu, async () => {
      await step(trainable);
      await (await trainable.optimizerStep(ADAMW)).read();
    });
    trainable.dispose();
    return peak;
  };
  const withReference = async (trainable: AdaptedModel) => trainable.setReference(await trainable.readAdapter());
  const score = (trainable: AdaptedModel) => trainable.scoreTokens(batch, { model: 'reference', temperature: 1 });
  return {
    SFT: await measured(async () => undefined, sft),
    DPO: await measured(withReference, async (trainable) => {
      await score(trainable);
      await readBack(trainable);
    }),
    GRPO: await measured(withReference, async (trainable) => {
      await trainable.generate(prompts, deltas, { ...SAMPLED, numGenerations: ROWS / 2 });
      await score(trainable);
      await readBack(trainable);
    }),
  };
}

export const benchMethods: BenchGroup = {
  name: 'methods',
  run: async (context) => {
    await measureSampling(context);
    await measureSteps(context);
  },
};
