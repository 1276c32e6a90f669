/** A small Qwen3-VL with random weights, unlike the fixtures wherever it can be: for the engine and for the oracle. */
import type { Qwen3VLConfig } from '../../src/families/qwen3-vl/config.ts';
import { stillOf } from '../../src/families/media.ts';
import { ropePositions } from '../../src/families/positions.ts';
import type { GridTHW, PackedBatch } from '../../src/processing/types.ts';
import type { OracleSample } from '../reference/qwen3-vl-tfjs.ts';
import { noise } from './open.ts';
import { packed as packSamples } from './packed-samples.ts';
import { randomCheckpoint, type RandomCheckpoint } from './random-checkpoint.ts';

const IMAGE = 90;

/** Sizes are multiples of 32, since every other size compiles further kernels; the vocabulary is no multiple of 64, the width of a piece of the head. Four query heads on one key head, an lm_head of its own, a vision tower with deepstack after its first and last block. */
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
    vocab_size: 160,
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

export interface RandomModel extends RandomCheckpoint {
  config: Qwen3VLConfig;
}

export async function randomModel(): Promise<RandomModel> {
  const checkpoint = await randomCheckpoint(JSON.stringify(CONFIG));
  return { ...checkpoint, config: checkpoint.files.config as Qwen3VLConfig };
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
  return packSamples(samples, rowCount, [IMAGE]);
}
