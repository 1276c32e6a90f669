/** config.json of the published models, without the token ids, which come with the tokenizer. */

export interface PublishedModel {
  /** Folder of tests/fixtures with a tokenizer and processor settings of the family. */
  fixture: string;
  config: Record<string, unknown>;
}

/** Fields that hold token ids, in config.json or in its text_config. */
export const TOKEN_FIELDS = ['image_token_id', 'video_token_id', 'vision_start_token_id', 'vision_end_token_id', 'vision_token_id', 'bos_token_id', 'eos_token_id', 'pad_token_id'] as const;

const QWEN3_VL_VISION = {
  model_type: 'qwen3_vl', deepstack_visual_indexes: [5, 11, 17], depth: 24, hidden_act: 'gelu_pytorch_tanh', hidden_size: 1024, in_channels: 3,
  initializer_range: 0.02, intermediate_size: 4096, num_heads: 16, num_position_embeddings: 2304, patch_size: 16, spatial_merge_size: 2, temporal_patch_size: 2,
};

function qwen3VL(hidden_size: number, intermediate_size: number, num_hidden_layers: number, num_attention_heads: number): PublishedModel {
  return {
    fixture: 'qwen3_vl',
    config: {
      architectures: ['Qwen3VLForConditionalGeneration'],
      model_type: 'qwen3_vl',
      text_config: {
        model_type: 'qwen3_vl_text', attention_bias: false, attention_dropout: 0, dtype: 'bfloat16', head_dim: 128, hidden_act: 'silu', hidden_size, initializer_range: 0.02,
        intermediate_size, max_position_embeddings: 262144, num_attention_heads, num_hidden_layers, num_key_value_heads: 8, rms_norm_eps: 1e-6,
        rope_scaling: { mrope_interleaved: true, mrope_section: [24, 20, 20], rope_type: 'default' }, rope_theta: 5000000, tie_word_embeddings: true, use_cache: true, vocab_size: 151936,
      },
      vision_config: { ...QWEN3_VL_VISION, out_hidden_size: hidden_size },
      tie_word_embeddings: true,
    },
  };
}

const QWEN2_TEXT = {
  attention_dropout: 0, hidden_act: 'silu', initializer_range: 0.02, rms_norm_eps: 1e-6, rope_theta: 1000000, rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  sliding_window: 32768, use_sliding_window: false, tie_word_embeddings: true, torch_dtype: 'bfloat16', use_cache: true, vocab_size: 151936, num_key_value_heads: 2,
};
const QWEN2_VISION = { depth: 32, num_heads: 16, in_chans: 3, patch_size: 14, spatial_merge_size: 2, spatial_patch_size: 14, temporal_patch_size: 2 };

function qwen35(hidden_size: number, intermediate_size: number, vision: Record<string, number>): PublishedModel {
  return {
    fixture: 'qwen3_5',
    config: {
      architectures: ['Qwen3_5ForConditionalGeneration'],
      model_type: 'qwen3_5',
      text_config: {
        model_type: 'qwen3_5_text', attention_bias: false, attention_dropout: 0, attn_output_gate: true, dtype: 'bfloat16', full_attention_interval: 4, head_dim: 256, hidden_act: 'silu',
        hidden_size, initializer_range: 0.02, intermediate_size, linear_conv_kernel_dim: 4, linear_key_head_dim: 128, linear_num_key_heads: 16, linear_num_value_heads: 16, linear_value_head_dim: 128,
        mamba_ssm_dtype: 'float32', max_position_embeddings: 262144, mlp_only_layers: [], num_attention_heads: 8, num_hidden_layers: 24, num_key_value_heads: 2, rms_norm_eps: 1e-6,
        rope_parameters: { mrope_interleaved: true, mrope_section: [11, 11, 10], partial_rotary_factor: 0.25, rope_theta: 10000000, rope_type: 'default' }, tie_word_embeddings: true, use_cache: true, vocab_size: 248320,
      },
      vision_config: { ...QWEN3_VL_VISION, model_type: 'qwen3_5', deepstack_visual_indexes: [], out_hidden_size: hidden_size, ...vision },
      tie_word_embeddings: true,
    },
  };
}

export const PUBLISHED: Readonly<Record<string, PublishedModel>> = {
  'qwen3-vl-2b': qwen3VL(2048, 6144, 28, 16),
  'qwen3-vl-4b': qwen3VL(2560, 9728, 36, 32),
  'qwen2.5-vl-3b': {
    fixture: 'qwen2_5_vl',
    config: {
      architectures: ['Qwen2_5_VLForConditionalGeneration'], model_type: 'qwen2_5_vl', ...QWEN2_TEXT, hidden_size: 2048, intermediate_size: 11008, max_position_embeddings: 128000, max_window_layers: 70,
      num_attention_heads: 16, num_hidden_layers: 36,
      vision_config: { ...QWEN2_VISION, hidden_act: 'silu', hidden_size: 1280, intermediate_size: 3420, out_hidden_size: 2048, window_size: 112, fullatt_block_indexes: [7, 15, 23, 31], tokens_per_second: 2 },
    },
  },
  'qwen2-vl-2b': {
    fixture: 'qwen2_vl',
    config: {
      architectures: ['Qwen2VLForConditionalGeneration'], model_type: 'qwen2_vl', ...QWEN2_TEXT, hidden_size: 1536, intermediate_size: 8960, max_position_embeddings: 32768, max_window_layers: 28,
      num_attention_heads: 12, num_hidden_layers: 28,
      vision_config: { ...QWEN2_VISION, embed_dim: 1280, mlp_ratio: 4, hidden_size: 1536 },
    },
  },
  'qwen3.5-0.8b': qwen35(1024, 3584, { depth: 12, hidden_size: 768, num_heads: 12, intermediate_size: 3072 }),
  'qwen3.5-2b': qwen35(2048, 6144, {}),
};

/** Shape cuts for slow devices: fewer layers of the language model or of the vision tower, everything else as published. */
export function cutLayers(config: Record<string, unknown>, { layers, visionLayers }: { layers: number | null; visionLayers: number | null }): Record<string, unknown> {
  const cut = structuredClone(config) as { text_config?: Record<string, unknown>; vision_config: Record<string, unknown> } & Record<string, unknown>;
  const text = cut.text_config ?? cut;
  if (layers !== null) text.num_hidden_layers = layers;
  if (visionLayers !== null) cut.vision_config.depth = visionLayers;
  const depth = Number(cut.vision_config.depth);
  for (const field of ['deepstack_visual_indexes', 'fullatt_block_indexes']) {
    const blocks = cut.vision_config[field];
    if (Array.isArray(blocks)) cut.vision_config[field] = (blocks as number[]).filter((block) => block < depth).slice(0, field.startsWith('deepstack') ? Number(text.num_hidden_layers) : undefined);
  }
  return cut;
}
