/** Qwen3.5, dense: gated delta rule in most decoder layers, gated full attention in the others, Qwen3-VL's vision tower without deepstack. */
import type { Architecture, LayerShape, ModelFamily } from '../architecture.ts';
import { attentionShape } from '../decoder-modules.ts';
import { ropePositions } from '../positions.ts';
import { qwen3VisionShapes } from '../qwen3-vision.ts';
import { canonicalName } from '../tensor-names.ts';
import { parseQwen35Config, type LayerType, type Qwen35Config } from './config.ts';
import { linearModules, linearWidths, otherTensors } from './tensors.ts';

/** Decoder layers with both kinds of mixers. */
const TARGETS =
  '^(?:.*\\.)?language_model\\.layers\\.\\d+\\.(?:self_attn\\.(?:q|k|v|o)_proj|linear_attn\\.(?:in_proj_(?:qkv|z|b|a)|out_proj)|mlp\\.(?:gate|up|down)_proj)$';

/** Rows between two states of the delta rule that are kept for the backward pass. */
const DELTA_CHUNK = 64;

export const qwen35: ModelFamily = {
  modelType: 'qwen3_5',
  label: 'dense Qwen3.5 (0.8B, 2B, 4B, 9B, 27B)',
  open(raw, file): Architecture<Qwen35Config> {
    const config = parseQwen35Config(raw, file);
    const shapes = { full_attention: gatedAttentionShape(config), linear_attention: deltaNetShape(config) } satisfies Record<LayerType, LayerShape>;
    return {
      config,
      linearModules: linearModules(config),
      otherTensors: otherTensors(config),
      shapes: { text: config.layerTypes.map((type) => shapes[type]), ...qwen3VisionShapes(config) },
      boxUnit: 'thousandths',
      clips: 'time-stamped',
      defaultTargetModules: TARGETS,
      // The head that guesses several tokens ahead.
      ignored: (name) => /^(?:model\.)?mtp\./.test(name),
      canonicalName,
      positions: (inputIds, media) => ropePositions(inputIds, media, config, null),
    };
  },
};

/** The gates, and the gated output. */
function gatedAttentionShape(config: Qwen35Config): LayerShape {
  const shape = attentionShape(config);
  return { ...shape, extra: 2 * shape.queries };
}

/** Kept besides queries and keys (before and after the convolution, normalised): five tensors as wide as the values, decay and beta, states. */
function deltaNetShape(config: Qwen35Config): LayerShape {
  const { keys, values } = linearWidths(config);
  const heads = config.linearNumValueHeads;
  const states = (values * config.linearKeyHeadDim) / DELTA_CHUNK;
  const state = values * config.linearKeyHeadDim + config.linearConvKernelDim * (2 * keys + values);
  return { ...attentionShape(config), queries: keys, keys, extra: 5 * values + 4 * heads + states, attends: false, state };
}
