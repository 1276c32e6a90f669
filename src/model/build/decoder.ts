/** The decoder that all families share: table, layers of mixer and gated MLP, final norm, head. */
import type { ModelConfig } from '../../families/architecture.ts';
import type { DecoderConfig } from '../../families/decoder-config.ts';
import { layerPath } from '../../families/decoder-modules.ts';
import { TEXT } from '../../families/tensor-names.ts';
import type { NormWeights } from '../../kernels/norm.ts';
import { Attention } from '../parts/attention.ts';
import { DecoderLayer } from '../parts/decoder-layer.ts';
import { GatedMlp } from '../parts/gated-mlp.ts';
import { Head } from '../parts/head.ts';
import type { Mixer } from '../parts/mixer.ts';
import type { VisionTower } from '../parts/vision-tower.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';

/** What a family's decoder does its own way. */
export interface DecoderForm {
  /** Reads the mixer of a layer. */
  mixer: (layer: number) => Promise<Mixer>;
  /** Reads a norm over `size` features. */
  norm: (path: string, size: number) => Promise<NormWeights>;
  /** Some mixers carry a state along each sample. */
  recurrent?: boolean;
}

/** @param vision reads the tower, which comes before the layers so that progress follows the files */
export async function readModel(reader: WeightReader, config: ModelConfig & DecoderConfig, vision: () => Promise<VisionTower>, { mixer, norm, recurrent = false }: DecoderForm): Promise<ModelParts> {
  const { hiddenSize, vocabSize } = config;
  const embedding = await reader.table(`${TEXT}.embed_tokens.weight`, vocabSize, hiddenSize);
  const head = new Head(config.tieWordEmbeddings ? embedding : await reader.table('lm_head.weight', vocabSize, hiddenSize));
  const tower = await vision();
  const layers: DecoderLayer[] = [];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const path = layerPath(i);
    layers.push(
      new DecoderLayer({
        inputNorm: await norm(`${path}.input_layernorm`, hiddenSize),
        mixer: await mixer(i),
        postAttentionNorm: await norm(`${path}.post_attention_layernorm`, hiddenSize),
        mlp: new GatedMlp(await reader.group([`${path}.mlp.gate_proj`, `${path}.mlp.up_proj`]), await reader.group([`${path}.mlp.down_proj`])),
      }),
    );
  }
  return {
    embedding,
    vision: tower,
    layers,
    finalNorm: await norm(`${TEXT}.norm`, hiddenSize),
    head,
    rotary: { dim: config.rotaryDim, theta: config.ropeTheta, section: config.mropeSection, interleaved: config.mropeInterleaved },
    recurrent,
  };
}

/**
 * Attention over all earlier tokens.
 * @param headNorm reads the norm of a head's queries or keys; null where the family has none
 * @param gated the query projection holds a gate beside each head's query
 */
export async function readAttention(reader: WeightReader, config: DecoderConfig, layer: number, headNorm: DecoderForm['norm'] | null, gated = false): Promise<Attention> {
  const path = `${layerPath(layer)}.self_attn`;
  const { headDim } = config;
  return new Attention(
    {
      qkv: await reader.group(['q_proj', 'k_proj', 'v_proj'].map((name) => `${path}.${name}`)),
      qNorm: headNorm && (await headNorm(`${path}.q_norm`, headDim)),
      kNorm: headNorm && (await headNorm(`${path}.k_norm`, headDim)),
      o: await reader.group([`${path}.o_proj`]),
    },
    { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim },
    gated,
  );
}
