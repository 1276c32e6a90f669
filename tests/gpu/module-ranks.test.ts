/** Modules of different ranks and alphas that share an input, against the same function with one rank for all. */
import { beforeAll, describe, expect, it } from 'vitest';
import { adaptedModules, type AdaptedLinear } from '../../src/checkpoint/adapted-modules.ts';
import type { AdapterTensor } from '../../src/checkpoint/adapter-tensor.ts';
import { loadModel } from '../../src/model/load.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { lossAndGradients, randomFactors, relativeL2, slopeOverNorm } from './gradient-slope.ts';
import { useGpu } from './open.ts';
import { packed, randomModel, randomSamples } from './random-model.ts';
import { meanWeights } from './tiny-model.ts';

const gpuOf = useGpu();
/** The widest rank below. */
const PADDED = 8;

/** Two groups of the last layer, since each rank compiles kernels of its own. */
const CONFIG = {
  target_modules: '.*layers\\.2\\.(self_attn\\.[qkv]_proj|mlp\\.(gate|up)_proj)',
  r: 4,
  lora_alpha: 8,
  use_rslora: false,
  rank_pattern: { k_proj: 1, v_proj: 7, gate_proj: 8 },
  alpha_pattern: { q_proj: 3, v_proj: 10, 'layers.2.self_attn.k_proj': 0.5, up_proj: 16 },
};

let model: VisionLanguageModel;
let modules: AdaptedLinear[];
let batch: ReturnType<typeof packed>;

beforeAll(async () => {
  const random = await randomModel();
  model = await loadModel(gpuOf(), random.files, { kindOf: () => 'bf16' });
  modules = adaptedModules(model.architecture.linearModules, CONFIG);
  batch = packed(randomSamples(random.config), 48);
}, 120_000);

/** A module of rank 8 and scale 1 with the factors' product: rows of zeros below A, and B with the scale inside. */
function paddedModules(): AdaptedLinear[] {
  return modules.map((module) => ({ ...module, r: PADDED, loraAlpha: PADDED, scale: 1 }));
}

function paddedFactors(factors: readonly AdapterTensor[]): AdapterTensor[] {
  return factors.map(({ name, shape, data }, f) => {
    const { r, scale } = modules[f >> 1];
    if (name.endsWith('lora_A.weight')) {
      const rows = new Float32Array(PADDED * shape[1]);
      rows.set(data);
      return { name, shape: [PADDED, shape[1]], data: rows };
    }
    const columns = new Float32Array(shape[0] * PADDED);
    for (let o = 0; o < shape[0]; o++) for (let c = 0; c < r; c++) columns[o * PADDED + c] = scale * data[o * r + c];
    return { name, shape: [shape[0], PADDED], data: columns };
  });
}

/** What a factor's gradient is, worked out from that of its padded form. */
function unpadded(gradient: AdapterTensor, { r, scale }: AdaptedLinear): Float32Array {
  const [rows, columns] = gradient.shape;
  if (gradient.name.endsWith('lora_A.weight')) return gradient.data.slice(0, r * columns);
  return Float32Array.from({ length: rows * r }, (_, i) => scale * gradient.data[Math.floor(i / r) * PADDED + (i % r)]);
}

describe('rank_pattern and alpha_pattern inside groups that share an input', () => {
  it('give modules next to each other ranks and scales of their own', () => {
    expect(modules.map(({ r, scale }) => [r, scale])).toEqual([[4, 3 / 4], [1, 0.5], [7, 10 / 7], [8, 1], [4, 4]]);
    expect(new Set(modules.slice(0, 3).map(({ inputGroup }) => inputGroup)).size).toBe(1);
  });

  it.each([0, 0.3])('with dropout %f: loss and gradients as with one rank, the same bits again', async (loraDropout) => {
    const options = { loraDropout, seed: 1, gradientCheckpointing: true };
    const weights = meanWeights(batch);
    const factors = randomFactors(modules);
    const trainable = new AdaptedModel(model, modules, options);
    const first = await lossAndGradients(trainable, factors, batch, weights, 2);
    const second = await lossAndGradients(trainable, factors, batch, weights, 2);
    expect(second).toEqual(first);

    const uniform = new AdaptedModel(model, paddedModules(), options);
    const expected = await lossAndGradients(uniform, paddedFactors(factors), batch, weights, 2);
    expect(Math.abs(first.loss / expected.loss - 1)).toBeLessThan(1e-6);
    // Sums of float32 in another order.
    first.gradients.forEach(({ name, data }, f) => expect(relativeL2(data, unpadded(expected.gradients[f], modules[f >> 1])), name).toBeLessThan(2e-5));
    trainable.dispose();
    uniform.dispose();
  }, 300_000);

  it('have the slope of the loss as gradient', async () => {
    const trainable = new AdaptedModel(model, modules, { loraDropout: 0, seed: 1, gradientCheckpointing: false });
    const slope = await slopeOverNorm(trainable, randomFactors(modules), batch, meanWeights(batch));
    expect(Math.abs(slope - 1)).toBeLessThan(5e-3);
    trainable.dispose();
  });
});
