/** Gradients of an adapter against the slope of its loss. */
import type { AdapterTensor } from '../../src/checkpoint/adapter-tensor.ts';
import type { LinearModule } from '../../src/families/architecture.ts';
import type { PackedBatch } from '../../src/processing/types.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { noise } from './open.ts';

/** Random A and B of each module; B away from zero, which would hide the gradient of A. */
export function randomFactors(modules: readonly (LinearModule & { r: number })[]): AdapterTensor[] {
  return modules.flatMap(({ path, r, inFeatures, outFeatures }, i): AdapterTensor[] => [
    { name: `${path}.lora_A.weight`, shape: [r, inFeatures], data: noise(r * inFeatures, 2 * i + 7).map((value) => value / Math.sqrt(inFeatures)) },
    { name: `${path}.lora_B.weight`, shape: [outFeatures, r], data: noise(r * outFeatures, 2 * i + 8).map((value) => value * 0.3) },
  ]);
}

export function clearGradients(trainable: AdaptedModel, factors: readonly AdapterTensor[]): void {
  trainable.adapter.write('gradients', factors.map((factor) => ({ ...factor, data: new Float32Array(factor.data.length) })));
}

/** Loss at these factors, and the gradient of each. */
export async function lossAndGradients(trainable: AdaptedModel, factors: readonly AdapterTensor[], batch: PackedBatch, weights: Float32Array, step = 0): Promise<{ loss: number; gradients: AdapterTensor[] }> {
  await trainable.writeAdapter(factors);
  clearGradients(trainable, factors);
  const loss = await (await trainable.forwardBackward(batch, weights, step)).read();
  return { loss, gradients: await trainable.adapter.read('gradients') };
}

/**
 * Slope of the loss along its own gradient, over the gradient's norm: 1 where the gradient is right.
 * Float32 losses near 5 carry 1e-6 of noise, curvature adds the square of the step.
 * @param chosen factors that move; the others stay
 */
export async function slopeOverNorm(trainable: AdaptedModel, factors: readonly AdapterTensor[], batch: PackedBatch, weights: Float32Array, step = 0, chosen: (name: string) => boolean = () => true, width = 0.01): Promise<number> {
  const { gradients } = await lossAndGradients(trainable, factors, batch, weights, step);
  const norm = Math.sqrt(gradients.filter(({ name }) => chosen(name)).reduce((sum, { data }) => sum + data.reduce((inner, g) => inner + g * g, 0), 0));
  const along = (sign: number) =>
    factors.map((factor, f) => (chosen(factor.name) ? { ...factor, data: factor.data.map((value, i) => value + (sign * width * gradients[f].data[i]) / norm) } : factor));
  const loss = async (sign: number) => (await lossAndGradients(trainable, along(sign), batch, weights, step)).loss;
  return ((await loss(1)) - (await loss(-1))) / (2 * width) / norm;
}

export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
