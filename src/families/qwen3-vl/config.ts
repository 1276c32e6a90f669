/** config.json of Qwen3-VL: checked, cross-checked and flattened. */
import * as v from 'valibot';
import type { ModelConfig } from '../architecture.ts';
import { corrupt, unsupported } from '../config-errors.ts';
import { checkTokens, describeIssue, size, theta, tokenId } from '../config-schema.ts';

/** Architecture of a Qwen3-VL model, named after the fields of config.json. */
export interface Qwen3VLConfig extends ModelConfig {
  modelType: 'qwen3_vl';

  intermediateSize: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** Frequencies given to time, height and width, interleaved; they sum to headDim / 2. */
  mropeSection: [number, number, number];

  visionHiddenSize: number;
  visionIntermediateSize: number;
  visionNumHeads: number;
  /** visionHiddenSize / visionNumHeads */
  visionHeadDim: number;
  /** Learned positions, a square grid. */
  numPositionEmbeddings: number;
  /** Side of that grid. */
  positionGridSize: number;
  /** Vision blocks whose output is added after the first text layers, in that order. */
  deepstackVisualIndexes: number[];
}

const ropeSchema = v.nullish(
  v.object({
    rope_type: v.optional(v.string()),
    type: v.optional(v.string()),
    rope_theta: theta,
    mrope_section: v.optional(v.strictTuple([size(512), size(512), size(512)])),
    mrope_interleaved: v.optional(v.boolean()),
  }),
);

const textSchema = v.object({
  hidden_size: size(65536),
  intermediate_size: size(262144),
  num_hidden_layers: size(512),
  num_attention_heads: size(1024),
  num_key_value_heads: size(1024),
  head_dim: v.nullish(size(1024)),
  hidden_act: v.literal('silu'),
  rms_norm_eps: v.pipe(v.number(), v.minValue(0), v.maxValue(0.1)),
  rope_theta: theta,
  rope_scaling: ropeSchema,
  rope_parameters: ropeSchema,
  vocab_size: size(2 ** 22),
  max_position_embeddings: v.optional(size(2 ** 31)),
  attention_bias: v.optional(v.literal(false), false),
  tie_word_embeddings: v.optional(v.boolean()),
  eos_token_id: v.nullish(v.union([tokenId, v.array(tokenId)])),
  pad_token_id: v.nullish(tokenId),
});

const visionSchema = v.object({
  hidden_size: size(65536),
  intermediate_size: size(262144),
  depth: size(512),
  num_heads: size(1024),
  hidden_act: v.literal('gelu_pytorch_tanh'),
  patch_size: size(256),
  temporal_patch_size: size(16),
  spatial_merge_size: size(16),
  in_channels: v.literal(3),
  num_position_embeddings: size(2 ** 22),
  out_hidden_size: size(65536),
  deepstack_visual_indexes: v.pipe(v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), v.maxLength(512)),
});

const modelSchema = v.object({
  text_config: textSchema,
  vision_config: visionSchema,
  image_token_id: tokenId,
  video_token_id: v.nullish(tokenId),
  vision_start_token_id: tokenId,
  vision_end_token_id: tokenId,
  tie_word_embeddings: v.optional(v.boolean()),
});

/**
 * @param raw a parsed config.json of this model type
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseQwen3VLConfig(raw: unknown, file: string): Qwen3VLConfig {
  const parsed = v.safeParse(modelSchema, raw);
  if (!parsed.success) throw describeIssue(parsed.issues[0], file);
  return flatten(parsed.output, file);
}

function flatten(model: v.InferOutput<typeof modelSchema>, file: string): Qwen3VLConfig {
  const text = model.text_config;
  const vision = model.vision_config;
  const headDim = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  const check = (holds: boolean, field: string, message: string) => {
    if (!holds) throw corrupt(file, field, `${field}: ${message}.`);
  };
  check(Number.isInteger(headDim) && headDim % 2 === 0, 'text_config.head_dim', `the head size must be an even whole number, got ${headDim}`);
  check(
    text.num_attention_heads % text.num_key_value_heads === 0,
    'text_config.num_key_value_heads',
    `${text.num_attention_heads} attention heads do not divide into ${text.num_key_value_heads} key-value heads`,
  );
  const visionHeadDim = vision.hidden_size / vision.num_heads;
  check(visionHeadDim % 4 === 0, 'vision_config.num_heads', `hidden_size ${vision.hidden_size} must divide by 4 × num_heads ${vision.num_heads}`);
  check(
    vision.out_hidden_size === text.hidden_size,
    'vision_config.out_hidden_size',
    `the vision tower gives ${vision.out_hidden_size} features, the language model takes ${text.hidden_size}`,
  );
  const grid = Math.sqrt(vision.num_position_embeddings);
  check(Number.isInteger(grid), 'vision_config.num_position_embeddings', `${vision.num_position_embeddings} is not a square number`);
  const indexes = vision.deepstack_visual_indexes;
  const ascending = indexes.every((index, i) => index < vision.depth && (i === 0 || index > indexes[i - 1]));
  check(ascending, 'vision_config.deepstack_visual_indexes', `[${indexes.join(', ')}] must ascend and stay below depth ${vision.depth}`);
  check(
    indexes.length <= text.num_hidden_layers,
    'vision_config.deepstack_visual_indexes',
    `${indexes.length} features do not fit into ${text.num_hidden_layers} text layers`,
  );
  const tokens = {
    imageTokenId: model.image_token_id,
    videoTokenId: model.video_token_id ?? null,
    visionStartTokenId: model.vision_start_token_id,
    visionEndTokenId: model.vision_end_token_id,
  };
  checkTokens(tokens, text.vocab_size, file);
  return {
    modelType: 'qwen3_vl',
    hiddenSize: text.hidden_size,
    intermediateSize: text.intermediate_size,
    numHiddenLayers: text.num_hidden_layers,
    numAttentionHeads: text.num_attention_heads,
    numKeyValueHeads: text.num_key_value_heads,
    headDim,
    rmsNormEps: text.rms_norm_eps,
    ...rope(text, headDim, file),
    vocabSize: text.vocab_size,
    maxPositionEmbeddings: text.max_position_embeddings ?? null,
    tieWordEmbeddings: model.tie_word_embeddings ?? text.tie_word_embeddings ?? false,
    visionHiddenSize: vision.hidden_size,
    visionIntermediateSize: vision.intermediate_size,
    visionDepth: vision.depth,
    visionNumHeads: vision.num_heads,
    visionHeadDim,
    patchSize: vision.patch_size,
    temporalPatchSize: vision.temporal_patch_size,
    spatialMergeSize: vision.spatial_merge_size,
    inChannels: vision.in_channels,
    numPositionEmbeddings: vision.num_position_embeddings,
    positionGridSize: grid,
    deepstackVisualIndexes: indexes,
    ...tokens,
    eosTokenIds: [text.eos_token_id ?? []].flat(),
    padTokenId: text.pad_token_id ?? null,
  };
}

/** Rotary settings; older files keep them in rope_theta and rope_scaling, newer ones in rope_parameters. */
function rope(text: v.InferOutput<typeof textSchema>, headDim: number, file: string): Pick<Qwen3VLConfig, 'ropeTheta' | 'mropeSection'> {
  const block = text.rope_parameters ?? text.rope_scaling ?? {};
  const field = `text_config.${text.rope_parameters ? 'rope_parameters' : 'rope_scaling'}`;
  const type = block.rope_type ?? block.type ?? 'default';
  if (type !== 'default' && type !== 'mrope') {
    throw unsupported(file, `${field}.rope_type`, `Rotary positions of type "${type}" are not supported, only "default".`);
  }
  if (block.mrope_interleaved === false) {
    throw unsupported(file, `${field}.mrope_interleaved`, 'mrope_interleaved is false; Qwen3-VL interleaves the axes.');
  }
  const thetas = new Set([text.rope_theta, block.rope_theta].filter((value) => value !== undefined));
  if (thetas.size !== 1) {
    const found = thetas.size ? `two different values, ${[...thetas].join(' and ')}` : 'no value';
    throw corrupt(file, 'text_config.rope_theta', `text_config.rope_theta has ${found}; expected one.`);
  }
  if (!block.mrope_section) throw corrupt(file, `${field}.mrope_section`, `${field}.mrope_section is missing.`);
  const [time, height, width] = block.mrope_section;
  const half = headDim / 2;
  if (time + height + width !== half) {
    throw corrupt(file, `${field}.mrope_section`, `mrope_section [${time}, ${height}, ${width}] sums to ${time + height + width}, expected head_dim / 2 = ${half}.`);
  }
  // Height takes frequencies 1, 4, 7, … and width 2, 5, 8, …: both must end inside the half.
  if (3 * height - 2 >= half || 3 * width - 1 >= half) {
    throw corrupt(file, `${field}.mrope_section`, `mrope_section [${time}, ${height}, ${width}] cannot be interleaved over ${half} frequencies.`);
  }
  return { ropeTheta: [...thetas][0], mropeSection: [time, height, width] };
}
