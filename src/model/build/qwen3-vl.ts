/** Qwen3-VL from its checkpoint. */
import type { Qwen3VLConfig } from '../../families/qwen3-vl/config.ts';
import { layerPath } from '../../families/decoder-modules.ts';
import { TEXT } from '../../families/tensor-names.ts';
import { Attention } from '../parts/attention.ts';
import { DecoderLayer } from '../parts/decoder-layer.ts';
import { GatedMlp } from '../parts/gated-mlp.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { readVisionTower } from './qwen3-vision.ts';

export async function buildQwen3VL(reader: WeightReader, config: Qwen3VLConfig): Promise<ModelParts> {
  const { hiddenSize, headDim, rmsNormEps } = config;
  const embedding = await reader.table(`${TEXT}.embed_tokens.weight`, config.vocabSize, hiddenSize);
  const head = config.tieWordEmbeddings ? embedding : await reader.table('lm_head.weight', config.vocabSize, hiddenSize);
  const vision = await readVisionTower(reader, config);
  const layers: DecoderLayer[] = [];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const path = layerPath(i);
    layers.push(
      new DecoderLayer({
        inputNorm: await reader.rmsNorm(`${path}.input_layernorm`, hiddenSize, rmsNormEps),
        mixer: new Attention(
          {
            qkv: await reader.group(['q_proj', 'k_proj', 'v_proj'].map((name) => `${path}.self_attn.${name}`)),
            qNorm: await reader.rmsNorm(`${path}.self_attn.q_norm`, headDim, rmsNormEps),
            kNorm: await reader.rmsNorm(`${path}.self_attn.k_norm`, headDim, rmsNormEps),
            o: await reader.group([`${path}.self_attn.o_proj`]),
          },
          { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim },
        ),
        postAttentionNorm: await reader.rmsNorm(`${path}.post_attention_layernorm`, hiddenSize, rmsNormEps),
        mlp: new GatedMlp(await reader.group([`${path}.mlp.gate_proj`, `${path}.mlp.up_proj`]), await reader.group([`${path}.mlp.down_proj`])),
      }),
    );
  }
  return {
    embedding,
    vision,
    layers,
    finalNorm: await reader.rmsNorm(`${TEXT}.norm`, hiddenSize, rmsNormEps),
    head,
    rotary: { dim: headDim, theta: config.ropeTheta, section: config.mropeSection, interleaved: true },
  };
}
