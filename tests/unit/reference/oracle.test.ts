/** The oracle against PyTorch's numbers, on tfjs's own CPU backend. */
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import type { Qwen3VLConfig } from '../../../src/families/qwen3-vl/config.ts';
import { packNf4, unpack } from '../../../src/quantization/packed-weight.ts';
import { Qwen3VLOracle, type OracleAdapter, type OracleFactors, type OracleSample } from '../../reference/qwen3-vl-tfjs.ts';
import { readJson, readTensors, type Tensor } from '../processing/fixtures.ts';

const FAMILY = 'qwen3_vl';
const config = readArchitecture(JSON.stringify(readJson(`${FAMILY}/checkpoint/config.json`))).config as Qwen3VLConfig;
const checkpoint = readTensors(`${FAMILY}/checkpoint/model.safetensors`);
const weights = new Map(Object.entries(checkpoint).map(([name, tensor]) => [name, tensor.data as Float32Array]));
const pixels = readTensors(`${FAMILY}/images/pixel_values.safetensors`);

/** The samples of a case without their padding, with the row each starts at in [B · S]. */
function samplesOf(name: string): { sample: OracleSample; firstRow: number }[] {
  const raw = readJson(`${FAMILY}/cases/${name}.json`);
  const images = [...(raw.images as string[])];
  const grids = [...(raw.image_grid_thw ?? [])];
  return (raw.input_ids as number[][]).map((ids, b) => {
    const length = (raw.attention_mask[b] as number[]).reduce((sum, one) => sum + one);
    // An image token follows the token that opens its image.
    const count = ids.filter((id) => id === config.visionStartTokenId).length;
    const pieces = images.splice(0, count).map((image) => pixels[`${image}.torchvision`].data as Float32Array);
    return {
      firstRow: b * ids.length,
      sample: {
        inputIds: ids.slice(0, length),
        positionIds: (raw.position_ids as number[][][]).map((axis) => axis[b].slice(0, length)),
        pixelValues: Float32Array.from(pieces.flatMap((values) => [...values])),
        grids: grids.splice(0, count),
        labels: raw.labels[b].slice(0, length),
      },
    };
  });
}

/** Largest absolute difference; the limit is 2e-4 · max(1, largest magnitude / 10). */
function expectWithin(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Infinity);
    size = Math.max(size, Math.abs(expected[i]));
  }
  expect(difference, what).toBeLessThan(2e-4 * Math.max(1, size / 10));
}

function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

async function expectLogits(oracle: Qwen3VLOracle, name: string, expected: Tensor, adapter?: OracleAdapter): Promise<void> {
  for (const { sample, firstRow } of samplesOf(name)) {
    const logits = oracle.logits(sample, adapter);
    const [length, vocabulary] = logits.shape;
    expectWithin(await logits.data(), (expected.data as Float32Array).subarray(firstRow * vocabulary, (firstRow + length) * vocabulary), `${name}: logits`);
    logits.dispose();
  }
}

let oracle: Qwen3VLOracle;
let adapter: OracleAdapter;

beforeAll(async () => {
  await tf.setBackend('cpu');
  await tf.ready();
  oracle = new Qwen3VLOracle(config, weights);
  const file = readTensors(`${FAMILY}/lora/adapter_model.safetensors`);
  const settings = readJson(`${FAMILY}/lora/adapter_config.json`);
  const factors = new Map<string, OracleFactors>();
  for (const [name, tensor] of Object.entries(file)) {
    const module = /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name)?.[1];
    if (!module) continue;
    const b = file[name.replace('lora_A', 'lora_B')];
    factors.set(module, {
      a: tf.tensor2d(tensor.data as Float32Array, tensor.shape as [number, number]),
      b: tf.tensor2d(b.data as Float32Array, b.shape as [number, number]),
    });
  }
  adapter = { factors, scale: settings.lora_alpha / settings.r };
});

afterAll(() => {
  oracle.dispose();
  for (const { a, b } of adapter.factors.values()) tf.dispose([a, b]);
  expect(tf.memory().numTensors).toBe(0);
});

describe.each(['text_only', 'one_image', 'two_images', 'padded_batch'])('%s', (name) => {
  const expected = readTensors(`${FAMILY}/cases/${name}.safetensors`);

  it('has the logits and the loss of PyTorch', async () => {
    await expectLogits(oracle, name, expected.logits);
    const loss = oracle.loss(samplesOf(name).map(({ sample }) => sample));
    expect(Math.abs((await loss.data())[0] - readJson(`${FAMILY}/cases/${name}.json`).loss)).toBeLessThan(1e-4);
    loss.dispose();
  });
});

describe.each(['one_image', 'two_images', 'padded_batch'])('%s', (name) => {
  const expected = readTensors(`${FAMILY}/cases/${name}.safetensors`);

  it('has the vision features of PyTorch', async () => {
    const all = samplesOf(name).filter(({ sample }) => sample.grids.length > 0);
    expect(all).toHaveLength(1);
    const { pixelValues, grids } = all[0].sample;
    const { merged, deepstack } = tf.tidy(() => ({ ...oracle.vision(pixelValues, grids) }));
    expectWithin(await merged.data(), expected['vision.merged'].data, 'merged');
    expect(deepstack).toHaveLength(config.deepstackVisualIndexes.length);
    for (const [i, feature] of deepstack.entries()) expectWithin(await feature.data(), expected[`vision.deepstack.${i}`].data, `deepstack ${i}`);
    tf.dispose([merged, ...deepstack]);
  });
});

describe('LoRA', () => {
  const expected = readTensors(`${FAMILY}/lora/expected.safetensors`);
  const { cases } = readJson(`${FAMILY}/lora/expected.json`);

  it.each(['one_image', 'padded_batch'])('%s: logits, loss and every gradient are PyTorch’s', async (name) => {
    await expectLogits(oracle, name, expected[`${name}/logits`], adapter);
    const { loss, gradients } = await oracle.lossAndGradients(
      samplesOf(name).map(({ sample }) => sample),
      adapter,
    );
    expect(Math.abs(loss - cases[name].loss)).toBeLessThan(1e-4 * cases[name].loss);
    expect(gradients.size).toBe(2 * adapter.factors.size);
    expect(gradients.size).toBe(Object.keys(expected).filter((key) => key.startsWith(`${name}/grad/`)).length);
    let squares = 0;
    for (const [tensor, gradient] of gradients) {
      const reference = expected[`${name}/grad/base_model.model.${tensor}`];
      expect(relativeL2(gradient, reference.data), tensor).toBeLessThan(1e-4);
      squares += gradient.reduce((sum, value) => sum + value * value, 0);
    }
    expect(Math.sqrt(squares) / cases[name].grad_norm).toBeCloseTo(1, 4);
  });
});

describe('NF4', () => {
  it.each(['text', 'text_and_vision'])('%s: dequantised weights give PyTorch’s logits, without and with adapter', async (variant) => {
    const modules = readJson(`${FAMILY}/cases/nf4_model.json`)[variant].quantized_modules as string[];
    const expected = readTensors(`${FAMILY}/cases/nf4_model.safetensors`);
    const quantized = new Map(weights);
    for (const module of modules) {
      const values = weights.get(`${module}.weight`)!;
      quantized.set(`${module}.weight`, unpack(packNf4(values, checkpoint[`${module}.weight`].shape[0], values.length / checkpoint[`${module}.weight`].shape[0])));
    }
    const packed = new Qwen3VLOracle(config, quantized);
    await expectLogits(packed, 'one_image', expected[`${variant}/base_logits`]);
    await expectLogits(packed, 'one_image', expected[`${variant}/lora_logits`], adapter);
    packed.dispose();
  });
});
