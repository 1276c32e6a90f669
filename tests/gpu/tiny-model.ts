/** The fixtures' tiny checkpoint on the GPU, and batches of any shape for it. */
import { UrlFileSource } from '../../src/checkpoint/file-source.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { adaptedModules } from '../../src/checkpoint/adapted-modules.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { loadModel } from '../../src/model/load.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { GridTHW, PackedBatch } from '../../src/processing/types.ts';
import type { WeightKind } from '../../src/quantization/packed-weight.ts';
import { AdaptedModel } from '../../src/training/adapted-model.ts';
import { noise } from './open.ts';

const NAMES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json', 'generation_config.json'];

export async function loadTiny(gpu: Gpu, kind: WeightKind = 'nf4'): Promise<VisionLanguageModel> {
  const url = new URL('../fixtures/qwen3_vl/checkpoint/', import.meta.url).href;
  return loadModel(gpu, await ModelFiles.open(new UrlFileSource(url, NAMES)), { kindOf: () => kind });
}

export function attach(model: VisionLanguageModel, targets: string[], options: { dropout?: number; checkpointing?: boolean; seed?: number } = {}): AdaptedModel {
  const modules = adaptedModules(model.architecture.linearModules, { target_modules: targets, r: 4, lora_alpha: 8, use_rslora: false });
  return new AdaptedModel(model, modules, {
    loraDropout: options.dropout ?? 0,
    seed: options.seed ?? 3,
    gradientCheckpointing: options.checkpointing ?? true,
  });
}

/** B starts at zero, which would hide the gradient of A: fills all factors with small numbers. */
export async function scramble(trainable: AdaptedModel, seed = 11): Promise<void> {
  const tensors = await trainable.readAdapter();
  await trainable.writeAdapter(tensors.map((tensor, i) => ({ ...tensor, data: noise(tensor.data.length, seed + i).map((value) => value * 0.2) })));
}

/**
 * Samples of the given lengths; those in `images` begin with a picture of that many patch rows and columns.
 * Half of each sample's tokens carry loss.
 */
export function syntheticBatch(model: VisionLanguageModel, seed: number, lengths: readonly number[], images: readonly (GridTHW | null)[] = []): PackedBatch {
  const { config } = model;
  const tokenCount = lengths.reduce((sum, length) => sum + length, 0);
  const rowCount = Math.ceil(tokenCount / 64) * 64;
  const random = noise(rowCount, seed);
  const inputIds = Int32Array.from(random, (value) => Math.floor(Math.abs(value) * 540));
  const positionIds = new Int32Array(3 * rowCount);
  const bounds = Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1);
  const visionRows: number[] = [];
  const targetRows: number[] = [];
  const grids: GridTHW[] = [];
  let start = 0;
  lengths.forEach((length, s) => {
    const grid = images[s] ?? null;
    const tokens = grid ? (grid[1] * grid[2]) / 4 : 0;
    if (grid) grids.push(grid);
    for (let t = 0; t < length; t++) {
      const row = start + t;
      bounds.set([start, start + length], 2 * row);
      for (let axis = 0; axis < 3; axis++) positionIds[axis * rowCount + row] = t;
      if (t < tokens) {
        inputIds[row] = config.imageTokenId;
        visionRows.push(row);
      } else if (t + 1 < length && t >= length / 2) targetRows.push(row);
    }
    start += length;
  });
  const patches = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  return {
    tokenCount,
    rowCount,
    sampleCount: lengths.length,
    inputIds,
    positionIds,
    bounds,
    visionRows: Int32Array.from(visionRows),
    pixelValues: noise(patches * config.inChannels * config.temporalPatchSize * config.patchSize ** 2, seed + 1),
    grids,
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetRows, (row) => inputIds[row + 1]),
    targetSample: new Int32Array(targetRows.length),
  };
}

export const meanWeights = (batch: PackedBatch): Float32Array => new Float32Array(batch.targetRows.length).fill(1 / batch.targetRows.length);

export const ADAMW = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
