/** Settings that the vision towers of all families share. */
import * as v from 'valibot';
import type { ModelConfig } from './architecture.ts';
import { corrupt } from './config-errors.ts';
import { checkField, fieldIn, size, type ConfigBlock } from './config-schema.ts';

/** Named after the fields of config.json. */
export interface VisionConfig {
  visionHiddenSize: number;
  visionIntermediateSize: number;
  visionNumHeads: number;
  /** visionHiddenSize / visionNumHeads */
  visionHeadDim: number;
}

/** Fields of a valibot object; the channels are called one or the other. */
export const visionFields = {
  depth: size(512),
  num_heads: size(1024),
  patch_size: size(256),
  temporal_patch_size: v.optional(size(16), 2),
  spatial_merge_size: v.optional(size(16), 2),
  in_channels: v.optional(v.literal(3)),
  in_chans: v.optional(v.literal(3)),
};

/** Widths under the names that a family gives them, and the language model's, which the tower's output must have. */
export interface VisionWidths {
  hidden: number;
  intermediate: number;
  out: number;
  /** config.json's name of `out`, for messages. */
  outField: string;
  textHidden: number;
}

/** @throws LorikeetError "file-corrupt" when heads do not divide or the towers do not fit */
export function readVision(
  vision: v.InferOutput<v.ObjectSchema<typeof visionFields, undefined>>,
  block: ConfigBlock,
  { hidden, intermediate, out, outField, textHidden }: VisionWidths,
): VisionConfig & Pick<ModelConfig, 'visionDepth' | 'patchSize' | 'temporalPatchSize' | 'spatialMergeSize' | 'inChannels'> {
  const heads = vision.num_heads;
  const visionHeadDim = hidden / heads;
  checkField(block, visionHeadDim % 4 === 0, 'num_heads', `the width ${hidden} must divide by 4 × num_heads ${heads}`);
  if (out !== textHidden) {
    const field = fieldIn(block, outField);
    throw corrupt(block.file, field, `${field}: the vision tower gives ${out} features, the language model takes ${textHidden}.`);
  }
  return {
    visionHiddenSize: hidden,
    visionIntermediateSize: intermediate,
    visionDepth: vision.depth,
    visionNumHeads: heads,
    visionHeadDim,
    patchSize: vision.patch_size,
    temporalPatchSize: vision.temporal_patch_size,
    spatialMergeSize: vision.spatial_merge_size,
    inChannels: 3,
  };
}
