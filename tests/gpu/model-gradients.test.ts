/** The engine against the oracle on a random model: packed samples, several images, adapters on every part. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { LinearModule } from '../../src/families/architecture.ts';
import { loadModel } from '../../src/model/load.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { Qwen3VLOracle, type OracleFactors, type OracleGradients } from '../reference/qwen3-vl-tfjs.ts';
import { noise, useGpu } from './open.ts';
import { packed, randomModel, randomSamples, type RandomModel } from './random-model.ts';

const gpuOf = useGpu();
const RANK = 4;
const OPTIONS = { loraDropout: 0, seed: 1 };
const SCALE = 8 / RANK;
/** Float32 on both sides, through three layers and three vision blocks. */
const TOLERANCE = 1e-4;

interface Factor {
  name: string;
  shape: [number, number];
  data: Float32Array;
}

const factorsOf = (modules: readonly LinearModule[]): Factor[] =>
  modules.flatMap(({ path, inFeatures, outFeatures }, i): Factor[] => [
    { name: `${path}.lora_A.weight`, shape: [RANK, inFeatures], data: noise(RANK * inFeatures, 2 * i + 7).map((value) => value / Math.sqrt(inFeatures)) },
    { name: `${path}.lora_B.weight`, shape: [outFeatures, RANK], data: noise(RANK * outFeatures, 2 * i + 8).map((value) => value * 0.3) },
  ]);

function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

let random: RandomModel;
const withRank = (module: LinearModule) => ({ ...module, r: RANK, loraAlpha: 8, scale: SCALE });

let model: VisionLanguageModel;

beforeAll(async () => {
  random = await randomModel();
  model = await loadModel(gpuOf(), random.files, { kindOf: () => 'bf16' });
}, 120_000);

/** Loss and gradients of the oracle, on tfjs's CPU backend. */
async function oracleGradients(modules: readonly LinearModule[]): Promise<OracleGradients> {
  await tf.setBackend('cpu');
  const oracle = new Qwen3VLOracle(random.config, random.weights);
  const tensors = factorsOf(modules).map(({ data, shape }) => tf.tensor2d(data, shape));
  const factors = new Map<string, OracleFactors>(modules.map(({ path }, i) => [path, { a: tensors[2 * i], b: tensors[2 * i + 1] }]));
  const result = await oracle.lossAndGradients(randomSamples(random.config), { factors, scale: SCALE });
  tf.dispose(tensors);
  oracle.dispose();
  await tf.setBackend('webgpu');
  return result;
}

describe('loss and adapter gradients', () => {
  it.each<[string, (module: LinearModule) => boolean]>([
    ['every linear layer', ({ part }) => part !== 'lm_head'],
    ['the vision tower only', ({ part }) => part === 'visual'],
    ['two modules of the last layer', ({ path }) => /layers\.2\.(self_attn\.k_proj|mlp\.down_proj)$/.test(path)],
  ])(
    'with adapters on %s: as the oracle, recomputing layers or keeping them',
    async (_, chosen) => {
      const modules = random.files.architecture.linearModules.filter(chosen);
      const expected = await oracleGradients(modules);
      const batch = packed(randomSamples(random.config), 48);
      const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
      const before = tf.memory().numTensors;
      for (const gradientCheckpointing of [true, false]) {
        const trainable = new AdaptedModel(model, modules.map(withRank), { ...OPTIONS, gradientCheckpointing });
        await trainable.writeAdapter(factorsOf(modules));
        const loss = await (await trainable.forwardBackward(batch, weights, 0)).read();
        expect(Math.abs(loss - expected.loss) / expected.loss).toBeLessThan(TOLERANCE);
        const gradients = await trainable.adapter.read('gradients');
        expect(gradients).toHaveLength(2 * modules.length);
        for (const { name, data } of gradients) expect(relativeL2(data, expected.gradients.get(name)!), name).toBeLessThan(TOLERANCE);
        trainable.dispose();
      }
      expect(tf.memory().numTensors, 'tensors left over').toBe(before);
    },
    300_000,
  );

  it(
    'with dropout: recomputed layers draw the same masks, and the gradient is the slope of the loss',
    async () => {
      const modules = random.files.architecture.linearModules.filter(({ part }) => part !== 'lm_head');
      const batch = packed(randomSamples(random.config), 48);
      const weights = new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);
      const start = factorsOf(modules);
      const pass = async (trainable: AdaptedModel, factors: Factor[], step: number) => {
        await trainable.writeAdapter(factors);
        trainable.adapter.write('gradients', factors.map((factor) => ({ ...factor, data: new Float32Array(factor.data.length) })));
        const loss = await (await trainable.forwardBackward(batch, weights, step)).read();
        return { loss, gradients: await trainable.adapter.read('gradients') };
      };
      const create = (gradientCheckpointing: boolean) => new AdaptedModel(model, modules.map(withRank), { ...OPTIONS, loraDropout: 0.3, gradientCheckpointing });
      const [recomputing, keeping] = [create(true), create(false)];
      const recomputed = await pass(recomputing, start, 5);
      const kept = await pass(keeping, start, 5);
      expect(recomputed.loss).toBe(kept.loss);
      recomputed.gradients.forEach(({ name, data }, i) => expect(data, name).toEqual(kept.gradients[i].data));
      expect((await pass(recomputing, start, 6)).loss).not.toBe(recomputed.loss);

      const norm = Math.sqrt(recomputed.gradients.reduce((sum, { data }) => sum + data.reduce((inner, g) => inner + g * g, 0), 0));
      // Along the gradient the slope is its norm. Float32 losses near 5 carry 1e-6 of noise, curvature adds the square of the step.
      const width = 0.01;
      const along = (sign: number) => start.map((factor, f) => ({ ...factor, data: factor.data.map((value, i) => value + (sign * width * recomputed.gradients[f].data[i]) / norm) }));
      const slope = ((await pass(recomputing, along(1), 5)).loss - (await pass(recomputing, along(-1), 5)).loss) / (2 * width);
      expect(Math.abs(slope / norm - 1)).toBeLessThan(5e-3);
      recomputing.dispose();
      keeping.dispose();
    },
    300_000,
  );
});

describe('the oracle on the GPU', () => {
  it(
    'gives the loss it gives on the CPU',
    async () => {
      const samples = randomSamples(random.config);
      const lossOn = async (backend: string) => {
        await tf.setBackend(backend);
        const oracle = new Qwen3VLOracle(random.config, random.weights);
        const loss = oracle.loss(samples);
        const value = (await loss.data())[0];
        loss.dispose();
        oracle.dispose();
        return value;
      };
      const [cpu, webgpu] = [await lossOn('cpu'), await lossOn('webgpu')];
      expect(Math.abs(webgpu / cpu - 1)).toBeLessThan(1e-5);
    },
    300_000,
  );
});
