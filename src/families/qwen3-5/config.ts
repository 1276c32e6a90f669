/** config.json of Qwen3.5, dense: checked, cross-checked and flattened. */
import * as v from 'valibot';
import type { ModelConfig } from '../architecture.ts';
import { unsupported } from '../config-errors.ts';
import { checkField, fieldIn, parseBlock, readTokens, size, type ConfigBlock } from '../config-schema.ts';
import { decoderFields, readDecoder, type DecoderConfig } from '../decoder-config.ts';
import { readQwen3Vision, type Qwen3VisionConfig } from '../qwen3-vision.ts';

const LAYER_TYPES = ['linear_attention', 'full_attention'] as const;
export type LayerType = (typeof LAYER_TYPES)[number];

/** Architecture of a Qwen3.5 model. Text norms multiply by 1 + weight, except the gated norm of the linear layers. */
export interface Qwen35Config extends ModelConfig, DecoderConfig, Qwen3VisionConfig {
  modelType: 'qwen3_5';
  /** One entry for each decoder layer. */
  layerTypes: LayerType[];
  /** Taps of the causal convolution before the delta rule. */
  linearConvKernelDim: number;
  linearKeyHeadDim: number;
  linearValueHeadDim: number;
  linearNumKeyHeads: number;
  /** A multiple of linearNumKeyHeads: each query and key head serves so many value heads, next to each other. */
  linearNumValueHeads: number;
}

const textSchema = v.object({
  ...decoderFields,
  attention_bias: v.optional(v.literal(false), false),
  attn_output_gate: v.optional(v.literal(true), true),
  mamba_ssm_dtype: v.optional(v.literal('float32'), 'float32'),
  layer_types: v.nullish(v.pipe(v.array(v.string()), v.maxLength(512))),
  full_attention_interval: v.nullish(size(512)),
  linear_conv_kernel_dim: size(64),
  linear_key_head_dim: size(1024),
  linear_value_head_dim: size(1024),
  linear_num_key_heads: size(1024),
  linear_num_value_heads: size(1024),
  num_experts: v.nullish(v.number()),
  mlp_only_layers: v.nullish(v.array(v.number())),
});
type Text = v.InferOutput<typeof textSchema>;

/** Of transformers, where a file does not say. */
const FULL_ATTENTION_INTERVAL = 4;
const PARTIAL_ROTARY_FACTOR = 0.25;

/**
 * @param raw a parsed config.json of this model type
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseQwen35Config(raw: Readonly<Record<string, unknown>>, file: string): Qwen35Config {
  const block: ConfigBlock = { fields: raw.text_config, file, path: 'text_config' };
  const text = parseBlock(textSchema, block);
  if (text.num_experts) throw unsupported(file, fieldIn(block, 'num_experts'), `The model is a mixture of ${text.num_experts} experts; Lorikeet trains dense Qwen3.5.`);
  const decoder = readDecoder(text, block, { family: 'Qwen3.5', interleaved: true, partialFactor: PARTIAL_ROTARY_FACTOR });
  const { linear_num_key_heads: keyHeads, linear_num_value_heads: valueHeads } = text;
  checkField(block, valueHeads % keyHeads === 0, 'linear_num_value_heads', `${valueHeads} value heads do not divide into ${keyHeads} key heads`);
  const vision = readQwen3Vision(raw.vision_config, file, decoder.hiddenSize, decoder.numHiddenLayers);
  if (vision.deepstackVisualIndexes.length > 0) {
    const field = 'vision_config.deepstack_visual_indexes';
    throw unsupported(file, field, `${field} is [${vision.deepstackVisualIndexes.join(', ')}]; Qwen3.5 takes no features of inner vision blocks.`);
  }
  return {
    modelType: 'qwen3_5',
    ...decoder,
    layerTypes: layerTypes(text, block),
    linearConvKernelDim: text.linear_conv_kernel_dim,
    linearKeyHeadDim: text.linear_key_head_dim,
    linearValueHeadDim: text.linear_value_head_dim,
    linearNumKeyHeads: keyHeads,
    linearNumValueHeads: valueHeads,
    ...vision,
    ...readTokens(raw, block, decoder.vocabSize),
  };
}

/** layer_types, or every full_attention_interval-th layer with full attention. */
function layerTypes({ layer_types, full_attention_interval, num_hidden_layers: count }: Text, block: ConfigBlock): LayerType[] {
  if (!layer_types) {
    const interval = full_attention_interval ?? FULL_ATTENTION_INTERVAL;
    return Array.from({ length: count }, (_, i) => ((i + 1) % interval === 0 ? 'full_attention' : 'linear_attention'));
  }
  checkField(block, layer_types.length === count, 'layer_types', `${layer_types.length} entries for ${count} layers`);
  return layer_types.map((type, i) => {
    const known = LAYER_TYPES.find((name) => name === type);
    if (known) return known;
    const field = `${fieldIn(block, 'layer_types')}.${i}`;
    throw unsupported(block.file, field, `${field} is ${JSON.stringify(type)}; Qwen3.5 has "linear_attention" and "full_attention".`);
  });
}
