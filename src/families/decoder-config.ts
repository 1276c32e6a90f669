/** Settings that the decoders of all families share. */
import * as v from 'valibot';
import type { ModelConfig } from './architecture.ts';
import { checkField, size, type ConfigBlock } from './config-schema.ts';
import { readRotary, rotaryFields, type RotaryConfig, type RotaryForm } from './rotary-config.ts';

/** Named after the fields of config.json. */
export interface DecoderConfig extends RotaryConfig {
  intermediateSize: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
}

/** Fields of a valibot object. */
export const decoderFields = {
  hidden_size: size(65536),
  intermediate_size: size(262144),
  num_hidden_layers: size(512),
  num_attention_heads: size(1024),
  num_key_value_heads: size(1024),
  head_dim: v.nullish(size(1024)),
  hidden_act: v.literal('silu'),
  rms_norm_eps: v.pipe(v.number(), v.minValue(0), v.maxValue(0.1)),
  vocab_size: size(2 ** 22),
  max_position_embeddings: v.optional(size(2 ** 31)),
  ...rotaryFields,
};

/** @throws LorikeetError "file-corrupt" when heads do not divide, or as `readRotary` */
export function readDecoder(
  text: v.InferOutput<v.ObjectSchema<typeof decoderFields, undefined>>,
  block: ConfigBlock,
  form: RotaryForm,
): DecoderConfig & Pick<ModelConfig, 'hiddenSize' | 'numHiddenLayers' | 'vocabSize' | 'maxPositionEmbeddings'> {
  const headDim = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  checkField(block, Number.isInteger(headDim) && headDim % 2 === 0, 'head_dim', `the head size must be an even whole number, got ${headDim}`);
  const { num_attention_heads: queries, num_key_value_heads: keys } = text;
  checkField(block, queries % keys === 0, 'num_key_value_heads', `${queries} attention heads do not divide into ${keys} key-value heads`);
  return {
    hiddenSize: text.hidden_size,
    intermediateSize: text.intermediate_size,
    numHiddenLayers: text.num_hidden_layers,
    numAttentionHeads: queries,
    numKeyValueHeads: keys,
    headDim,
    rmsNormEps: text.rms_norm_eps,
    ...readRotary(text, block, headDim, form),
    vocabSize: text.vocab_size,
    maxPositionEmbeddings: text.max_position_embeddings ?? null,
  };
}
