/** A small Qwen3-VL with random weights, unlike the fixtures wherever it can be: for the engine and for the oracle. */
import { BlobFileSource } from '../../src/checkpoint/file-source.ts';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { readArchitecture } from '../../src/checkpoint/model-config.ts';
import type { Qwen3VLConfig } from '../../src/families/qwen3-vl/config.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { expectedTensors, type Architecture } from '../../src/families/architecture.ts';
import { stillOf } from '../../src/families/media.ts';
import { ropePositions } from '../../src/families/positions.ts';
import type { GridTHW, PackedBatch } from '../../src/processing/types.ts';
import type { OracleSample } from '../reference/qwen3-vl-tfjs.ts';
import { noise } from './open.ts';

const IMAGE = 90;

/** Sizes are multiples of 32, since every other size compiles further kernels. Four query heads on one key head, an lm_head of its own, a vision tower with deepstack after its first and last block. */
const CONFIG = {
  model_type: 'qwen3_vl',
  image_token_id: IMAGE,
  vision_start_token_id: 91,
  vision_end_token_id: 92,
  tie_word_embeddings: false,
  text_config: {
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 1,
    head_dim: 16,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 500,
    rope_scaling: { mrope_interleaved: true, mrope_section: [4, 2, 2], rope_type: 'default' },
    vocab_size: 128,
  },
  vision_config: {
    hidden_size: 32,
    intermediate_size: 64,
    depth: 3,
    num_heads: 2,
    hidden_act: 'gelu_pytorch_tanh',
    patch_size: 4,
    temporal_patch_size: 2,
    spatial_merge_size: 2,
    in_channels: 3,
    num_position_embeddings: 25,
    out_hidden_size: 64,
    deepstack_visual_indexes: [0, 2],
  },
};

export interface RandomModel {
  config: Qwen3VLConfig;
  weights: Map<string, Float32Array>;
  files: ModelFiles;
}

/** Weights of usual size: gains near 1, matrices near 1 / √inputs. */
export async function randomModel(): Promise<RandomModel> {
  const text = JSON.stringify(CONFIG);
  const architecture = readArchitecture(text) as Architecture<Qwen3VLConfig>;
  const weights = new Map<string, Float32Array>();
  const tensors = expectedTensors(architecture).map(({ name, shape }, i) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const isGain = shape.length === 1 && name.endsWith('.weight');
    const scale = shape.length === 1 ? 0.2 : 2 / Math.sqrt(size / shape[0]);
    const data = noise(size, i + 1).map((value) => value * scale + (isGain ? 1 : 0));
    weights.set(name, data);
    return { name, dtype: 'F32' as const, shape, data };
  });
  const source = new BlobFileSource([
    { path: 'config.json', file: new Blob([text]) },
    { path: 'tokenizer.json', file: new Blob(['{}']) },
    { path: 'model.safetensors', file: new Blob([writeSafetensors(tensors)]) },
  ]);
  return { config: architecture.config, weights, files: await ModelFiles.open(source) };
}

/** Conversations of random tokens; images as runs of image tokens. */
export function randomSamples(config: Qwen3VLConfig): OracleSample[] {
  const shapes: { parts: (number | GridTHW)[]; loss: number }[] = [
    { parts: [3, [1, 4, 6], 5, [1, 2, 2], 7], loss: 9 },
    { parts: [2], loss: 1 },
    { parts: [[1, 6, 2], 4], loss: 3 },
  ];
  return shapes.map(({ parts, loss }, s) => {
    const inputIds: number[] = [];
    const grids: GridTHW[] = [];
    for (const part of parts) {
      if (typeof part === 'number') for (let i = 0; i < part; i++) inputIds.push((inputIds.length * 37 + 11 * s) % IMAGE);
      else {
        grids.push(part);
        for (let i = 0; i < (part[1] * part[2]) / 4; i++) inputIds.push(IMAGE);
      }
    }
    const length = inputIds.length;
    const { positionIds } = ropePositions(inputIds, grids.map(stillOf), config, null);
    const patches = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
    return {
      inputIds,
      grids,
      positionIds: [0, 1, 2].map((axis) => [...positionIds.subarray(axis * length, (axis + 1) * length)]),
      pixelValues: noise(patches * 96, 50 + s),
      labels: inputIds.map((id, t) => (t >= length - loss && id !== IMAGE ? id : -100)),
    };
  });
}

/** The samples end to end, with padding rows up to `rowCount`. */
export function packed(samples: readonly OracleSample[], rowCount: number): PackedBatch {
  const rows = (fill: (row: number) => number) => Int32Array.from({ length: rowCount }, (_, row) => fill(row));
  const batch = { inputIds: rows(() => 0), positionIds: new Int32Array(3 * rowCount), bounds: Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1) };
  const [visionRows, targetRows, targetIds, targetSample]: number[][] = [[], [], [], []];
  let start = 0;
  samples.forEach(({ inputIds, positionIds, labels }, s) => {
    const end = start + inputIds.length;
    batch.inputIds.set(inputIds, start);
    positionIds.forEach((axis, a) => batch.positionIds.set(axis, a * rowCount + start));
    inputIds.forEach((id, t) => {
      batch.bounds.set([start, end], 2 * (start + t));
      if (id === IMAGE) visionRows.push(start + t);
      const next = labels?.[t + 1] ?? -100;
      if (next === -100) return;
      targetRows.push(start + t);
      targetIds.push(next);
      targetSample.push(s);
    });
    start = end;
  });
  return {
    ...batch,
    tokenCount: start,
    rowCount,
    sampleCount: samples.length,
    visionRows: Int32Array.from(visionRows),
    pixelValues: Float32Array.from(samples.flatMap(({ pixelValues }) => [...pixelValues])),
    grids: samples.flatMap(({ grids }) => [...grids]),
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}
