/** One whole training step of the demo: ours, and the same model in stock tfjs operations. Speed, commands and memory. */
import * as tf from '@tensorflow/tfjs';
import { parseTrainingConfig } from '../src/protocol/config.ts';
import type { PackedBatch } from '../src/processing/types.ts';
import type { AdamWSettings } from '../src/kernels/adamw.ts';
import { planRun } from '../src/training/planner.ts';
import type { AdaptedModel } from '../src/training/adapted-model.ts';
import { checkEqual, values } from './compare.ts';
import { ADAPTER, demoAdapter, openDemo, sizesOf } from './demo-model.ts';
import type { BenchModel } from './demo-model.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';
import { StockPeer } from './stock-peer.ts';

const BATCH = 8;
const ADAMW: AdamWSettings = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
/** Float32 on both sides, in other orders of summation, through the whole model. */
const LOSS_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 1e-3;
const MIB = 2 ** 20;

const titleOf = (checkpointing: boolean) => `NF4, r ${ADAPTER.r}, ${checkpointing ? 'recomputing' : 'keeping activations'}`;

/** B starts at zero, where the gradient of A is zero whatever the model does. */
async function scramble(trainable: AdaptedModel): Promise<void> {
  const tensors = await trainable.readAdapter();
  await trainable.writeAdapter(tensors.map((tensor, i) => (tensor.name.includes('lora_B') ? { ...tensor, data: values(tensor.data.length, i).map((value) => value * 0.05) } : tensor)));
}

/** Times our step and reports what it takes. */
async function measureOurs({ gpu, report }: BenchContext, { files, model, samples }: BenchModel, batch: PackedBatch, checkpointing: boolean): Promise<number> {
  await gpu.trim();
  const trainable = demoAdapter(model, checkpointing);
  const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
  const step = async () => {
    const loss = await trainable.forwardBackward(batch, weights, 0);
    await trainable.optimizerStep(ADAMW);
    return loss.read();
  };
  await step();
  const dispatches = gpu.dispatches;
  const submits = gpu.backend.submits;
  await step();
  const perStep = { dispatches: gpu.dispatches - dispatches, submits: gpu.backend.submits - submits };
  const ms = await timeMedian(async () => void (await step()), { minMs: 3000, minRuns: 2 });
  const group = benchStep.name;
  const shape = `${BATCH} samples, ${batch.tokenCount} tokens`;
  const title = titleOf(checkpointing);
  report({ group, name: title, shape, ms, value: (batch.tokenCount / ms) * 1e3, unit: 'tokens/s', ratio: null });
  report({ group, name: `${title}: dispatches`, shape: '', ms: null, value: perStep.dispatches, unit: '', ratio: null });
  report({ group, name: `${title}: submits`, shape: '', ms: null, value: perStep.submits, unit: '', ratio: null });
  const config = parseTrainingConfig({ per_device_train_batch_size: BATCH, gradient_accumulation_steps: 1, gradient_checkpointing: checkpointing });
  const { memory } = planRun(files.architecture, config, sizesOf(samples), null);
  report({ group, name: `${title}: GPU memory now`, shape: '', ms: null, value: gpu.bytes() / MIB, unit: 'MiB', ratio: null });
  report({ group, name: `${title}: GPU memory at its peak`, shape: '', ms: null, value: gpu.peakBytes() / MIB, unit: 'MiB', ratio: null });
  report({ group, name: `${title}: GPU memory as planned`, shape: '', ms: null, value: memory.total / MIB, unit: 'MiB', ratio: null });
  trainable.dispose();
  return ms;
}

/** The same batch, values and factors on both sides must give the same loss and gradients. */
async function measureStock({ gpu }: BenchContext, { files, model, processor, samples }: BenchModel, batch: PackedBatch): Promise<{ ms: number; peakBytes: number }> {
  const trainable = demoAdapter(model);
  await scramble(trainable);
  const peer = await StockPeer.create(files, processor, samples, await trainable.readAdapter(), ADAPTER.loraAlpha / ADAPTER.r);
  const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
  const ours = await (await trainable.forwardBackward(batch, weights, 0)).read();
  const { loss, gradients } = peer.lossAndGradients();
  checkEqual('loss of the step', [ours], await gpu.readFloats(loss), LOSS_TOLERANCE);
  for (const [i, { name, data }] of (await trainable.adapter.read('gradients')).entries()) {
    checkEqual(`gradient of ${name}`, data, await gpu.readFloats(gradients[i]), GRADIENT_TOLERANCE);
  }
  const optimizer = tf.train.adam(ADAMW.learningRate, ADAMW.beta1, ADAMW.beta2, ADAMW.epsilon);
  peer.update(optimizer, gradients, ADAMW);
  tf.dispose([loss, ...gradients]);
  trainable.dispose();

  await gpu.trim();
  const step = async () => {
    const again = peer.lossAndGradients();
    peer.update(optimizer, again.gradients, ADAMW);
    await again.loss.data();
    await gpu.finish();
    tf.dispose([again.loss, ...again.gradients]);
  };
  // A CPU that plays the GPU takes most of a minute for each: one has to do.
  const ms = await timeMedian(step, { minMs: 3000, minRuns: 1, warmUp: false });
  const { peakBytes } = gpu.backend.pool;
  optimizer.dispose();
  peer.dispose();
  return { ms, peakBytes };
}

/** Ours first: on a CPU that plays the GPU the stock step takes minutes. */
export const benchStep: BenchGroup = {
  name: 'step',
  run: async (context) => {
    const { gpu, options, report } = context;
    const demo = await openDemo(gpu, options.demoUrl, 'nf4', BATCH);
    const batch = await demo.processor.pack(demo.samples);
    const group = benchStep.name;
    const shape = `${BATCH} samples, ${batch.tokenCount} tokens`;
    const speed = (ms: number) => ({ ms, value: (batch.tokenCount / ms) * 1e3, unit: 'tokens/s' });
    const ours = new Map<boolean, number>();
    for (const checkpointing of [true, false]) ours.set(checkpointing, await measureOurs(context, demo, batch, checkpointing));
    const stock = await measureStock(context, demo, batch);
    report({ group, name: 'stock tfjs operations, float32', shape, ...speed(stock.ms), ratio: 'baseline' });
    report({ group, name: 'stock tfjs operations: GPU memory at its peak, weights included', shape: '', ms: null, value: stock.peakBytes / MIB, unit: 'MiB', ratio: null });
    for (const [checkpointing, ms] of ours) report({ group, name: `${titleOf(checkpointing)}, against stock`, shape, ...speed(ms), ratio: stock.ms / ms });
    demo.model.dispose();
  },
};
