/** One step of supervised fine-tuning at the size of a published model. */
import type { Gpu } from '../src/gpu/gpu.ts';
import type { AdamWSettings } from '../src/kernels/adamw.ts';
import type { PackedBatch } from '../src/processing/types.ts';
import type { AdaptedModel } from '../src/training/adapted-model.ts';
import type { SampleShape } from './random-batch.ts';

export const MODEL = 'qwen3-vl-2b';
/** One image of 512 pixels in 1,024 tokens, of which the last quarter carries loss. */
export const SFT: readonly SampleShape[] = [{ tokens: 1024, side: 32, labels: 256 }];
export const ADAMW: AdamWSettings = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
/** On a CPU: a cut model, and the share of an image's edge and of the tokens. */
export const RASTERIZER = { cut: { layers: 2, vocabulary: 4096 }, share: 8 };

/** A sample as small as a CPU needs it. */
export function fitToCpu(shape: SampleShape): SampleShape {
  const { share } = RASTERIZER;
  return { tokens: shape.tokens / share, side: 4 * Math.ceil(shape.side / share / 4), labels: shape.labels / share };
}

/**
 * Forward, backward and optimizer, until the GPU is done.
 * @returns ms of recording in JavaScript
 * @throws Error where the loss is no number
 */
export function sftStep(gpu: Gpu, trainable: AdaptedModel, batch: PackedBatch): () => Promise<number> {
  const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
  return async () => {
    const start = performance.now();
    const loss = await trainable.forwardBackward(batch, weights, 0);
    await trainable.optimizerStep(ADAMW);
    gpu.submit();
    const recording = performance.now() - start;
    if (!Number.isFinite(await loss.read())) throw new Error('the loss is no number');
    await gpu.finish();
    return recording;
  };
}
